"""The command line: the commands that a person types. They are clients of the runtime."""
