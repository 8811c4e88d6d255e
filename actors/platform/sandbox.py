"""The sandbox of a program: which one this machine makes, and the command line that makes it.

bubblewrap comes first. Where it is missing or refused, Landlock is used, which holds less, and on
macOS seatbelt. `openings` says what is open to the program, the same for all three. The network
stays unless it is taken away.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from actors.platform import bubblewrap, disk, landlock, seatbelt
from actors.platform.openings import Limits, OwnHome
from bus.user import file_of_user

BUBBLEWRAP: Final = "bubblewrap"
LANDLOCK: Final = "Landlock"
SEATBELT: Final = "seatbelt"

TRIAL_SECONDS = 10.0
_NONE = subprocess.DEVNULL

_WRAPPED: Final[dict[str, Callable[[Sequence[str], Limits], list[str]]]] = {
    BUBBLEWRAP: bubblewrap.wrapped,
    LANDLOCK: landlock.wrapped,
    SEATBELT: seatbelt.wrapped,
}
LESS: Final = {
    LANDLOCK: "it refuses paths and hides none: a program in it reaches the sockets of other "
    "programs (D-Bus, docker, agents that sign), lists processes, and writes the `.git` of its "
    "worktree; your home directory is read-only",
    SEATBELT: "its profile is generated, and was never run by its authors",
}
"""What a person should know of each sandbox that is not bubblewrap's."""

_SEPARATORS = frozenset(",:\\")
"""What a path in the options of overlayfs must not hold."""


class Said(msgspec.Struct, frozen=True):
    """Why a sandbox cannot be made, or "". What took too long is not `known`."""

    trouble: str = ""
    known: bool = True


class Trial:
    """Tries once whether something works. A success is kept, and a failure is tried again.

    One trial runs at a time. Who waits for it takes its answer, and begins none of their own.
    """

    def __init__(self, attempt: Callable[[], Said]) -> None:
        self._attempt = attempt
        self._lock = threading.Lock()
        self._ended = 0
        self._said: Said | None = None

    def ask(self) -> Said:
        """Return what the trial said; in any thread."""
        before, said = self._ended, self._said
        if said is not None and not said.trouble:
            return said
        with self._lock:
            if self._said is None or self._ended == before:
                self._said = self._attempt()
                self._ended += 1
            return self._said


_trials: dict[tuple[str, ...], Trial] = {}
"""By what a success depends on: the program, or the home directory and a file system."""


def _asked(attempt: Callable[[], Said], *about: str) -> Said:
    return _trials.setdefault(about, Trial(attempt)).ask()


def found() -> tuple[str, str]:
    """Return which sandbox is made on this machine, or "" and why none can be."""
    if sys.platform == "darwin":
        said = _asked(lambda: _tried(seatbelt.wrapped(["true"], Limits(cwd="/"))), SEATBELT)
        return ("", f"seatbelt: {said.trouble}") if said.trouble else (SEATBELT, "")
    first = _of_bubblewrap()
    if not first.trouble:
        return BUBBLEWRAP, ""
    if not first.known:  # it may work: then a lesser one would be a surprise
        return "", first.trouble
    second = of_landlock()
    return (
        ("", f"{first.trouble}; Landlock: {second.trouble}") if second.trouble else (LANDLOCK, "")
    )


def trouble(decided: str | None = None) -> str:
    """Return why no sandbox can be made on this machine; "" where one can.

    `decided` is what a plan was stored with: "", which is bubblewrap, or one of `LESS`. No other
    that holds less will do.
    """
    by, why = found()
    if why or decided is None or by in (BUBBLEWRAP, decided):
        return why
    return f"the plan was submitted with {decided or BUBBLEWRAP}, and only {by} works here now"


def of_landlock() -> Said:
    """Return why Landlock cannot be used, or nothing."""
    return _asked(lambda: _tried(landlock.wrapped(["true"], Limits(cwd="/"))), LANDLOCK)


def _of_bubblewrap() -> Said:
    program = shutil.which("bwrap")
    if program is None:
        return Said("bubblewrap (`bwrap`) is not installed")
    argv = [program, "--ro-bind", "/", "/", "--proc", "/proc", "--unshare-pid", "--", "true"]
    said = _asked(lambda: _tried(argv), program)
    return _because("bubblewrap does not work here", "whether bubblewrap works here", said)


def own_home_trouble(place: str) -> str:
    """Return why no program can have a home directory of its own; "" where it can."""
    return of_own_home(place).trouble


def of_own_home(place: str) -> Said:
    """Return why no program can have a home directory of its own, or nothing.

    Its changes would lie below `place`, an absolute path. bubblewrap alone can show it. It is tried
    in that directory or the nearest that is there, once for each file system.
    """
    if (first := _of_bubblewrap()).trouble:
        return first
    home = _home_directory()
    if not home or set(place) & _SEPARATORS:
        return Said("the user has no home directory that can be layered")
    above = next(path for path in (Path(place), *Path(place).parents) if path.is_dir())
    device = str(above.stat().st_dev)
    said = _asked(lambda: _tried_home(home, above), home, device)
    what = "the home directory cannot be layered"
    return _because(what, "whether the home directory can be layered", said)


def _because(not_: str, whether: str, said: Said) -> Said:
    """Return the same with its subject."""
    if not said.trouble:
        return said
    words = f"{not_}: {said.trouble}" if said.known else f"{whether} is not known: {said.trouble}"
    return Said(words, said.known)


def _tried_home(home: str, above: Path) -> Said:
    try:
        at = tempfile.mkdtemp(prefix=".trial-", dir=above)
    except OSError as error:
        return Said(str(error))
    try:
        limits = Limits(cwd="/", writable=(at,), home=OwnHome(home, str(Path(at, "own"))))
        return _tried(bubblewrap.wrapped(["true"], limits))
    finally:
        disk.remove_tree(Path(at))


def own_home(place: Path, *kept: str, under: str = "") -> OwnHome | None:
    """Return the home directory for a program whose changes lie in `place`.

    Return None where there can be none; then the program only reads the user's.
    """
    home = _home_directory()
    if own_home_trouble(str(place.parent)):
        return None
    return OwnHome(home, str(place), kept, under)


def _home_directory() -> str:
    """Return the user's home directory; "" if it is none, or overlayfs cannot name it."""
    home = file_of_user("~")
    if home is None or not home.is_dir():
        return ""
    real = os.path.realpath(home)
    return "" if real == "/" or set(real) & _SEPARATORS else real


def _tried(argv: Sequence[str]) -> Said:
    """Run a program; return why it failed, or nothing."""
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=TRIAL_SECONDS, check=False
        )
    except OSError as error:
        return Said(str(error))
    except subprocess.TimeoutExpired:
        return Said(f"a trial took longer than {TRIAL_SECONDS:g} s", known=False)
    return Said(
        (done.stderr.strip()[:300] or f"status {done.returncode}") if done.returncode else ""
    )


def wrapped(argv: Sequence[str], limits: Limits) -> list[str]:
    """Return the command line that runs `argv` within the limits. Raise `OSError` if none can."""
    by, why = found()
    if why:
        raise OSError(f"no sandbox can be made: {why}")
    if "gpg-agent" in limits.agents:
        _launch_gpg_agent()
    return _WRAPPED[by](argv, limits)


_launching = threading.Lock()


def _launch_gpg_agent() -> None:
    """Have GnuPG's agent started, by a thread of its own: nobody waits for it here."""
    if _launching.acquire(blocking=False):
        env = dict(os.environ)
        threading.Thread(target=_launch, args=(env,), name="gpg-agent", daemon=True).start()


def _launch(env: dict[str, str]) -> None:
    command = ["gpgconf", "--launch", "gpg-agent"]  # it keeps what it inherits
    try:
        subprocess.run(
            command, env=env, stdin=_NONE, stdout=_NONE, stderr=_NONE, timeout=TRIAL_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        pass
    finally:
        _launching.release()
