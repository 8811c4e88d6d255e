"""ZeroMQ contexts that the garbage collector does not end."""

import zmq


class Context(zmq.Context["zmq.Socket[bytes]"]):
    """A context that stays until the end of the process if its owner drops it without `term`.

    libzmq waits at the end of a context until its sockets are closed. The garbage collector may
    come to a dropped context before its sockets: pyzmq's finalizer would wait for ever, where
    no signal handler runs.
    """

    def __del__(self) -> None:
        """Do not wait."""
