"""Take back what the program that started this one did to its signals.

An ignored or blocked signal stays so in whatever a process starts. Where SIGCHLD is ignored, the
kernel forgets how a child ended, and each git would seem to have succeeded. Where SIGALRM is, a
worker process that hangs is not ended.
"""

import signal


def secure() -> None:
    """Give the signals that the program relies on their usual effect; block none.

    Those that end it stay as they are: `nohup` ignores SIGHUP.
    """
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for signo in (signal.SIGCHLD, signal.SIGALRM):
        signal.signal(signo, signal.SIG_DFL)
