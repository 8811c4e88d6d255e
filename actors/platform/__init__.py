"""This machine: the event loop, processes, who owns them, worker processes."""
