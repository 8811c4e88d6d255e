"""The doctor: what is installed, what is missing, what runs and what was left running."""

import contextlib
import os
import shutil
import sys
from pathlib import Path

from actors.clis import lookup
from actors.clis.profile import (
    Profile,
    ProfileError,
    find_version,
    version_is_verified,
)
from actors.clis.version import ask
from actors.git.reading import identity
from actors.git.running.command import GitUnknown
from actors.platform import room, sandbox, scopes
from actors.pty.ending import running_hosts
from actors.runtime import canary, fixing, machine, surroundings
from bus import connection
from bus.action import Action, Do
from bus.connection import NoRuntime
from bus.errors import Refused
from bus.reasons import Reason
from bus.results import Finding, Report
from bus.user import config_path, file_of_user
from store import damage, mending
from store.errors import Damaged, StoreError
from store.lost import lost_database


def examine(home: Path, online: bool = False, clis: bool = False) -> Report:
    """Look at this machine and at a home.

    With `online`, also look whether providers can be reached; with `clis`, run each installed CLI
    once against a server that plays the model, which takes up to 3 minutes each.

    Only what Callboard cannot do without makes the report not `ok`.
    """
    found = [
        _python(),
        _git(),
        *_identity(),
        _sandbox(home),
        *_scopes(_server_of(home)),
        *_home(home),
        *fixing.findings(home),
        *_database(home),
        *_terminals(home),
        *surroundings.findings(home),
        *_clis(clis),
        *machine.findings(online),
        _board(),
    ]
    return Report(ok=all(item.state != "missing" for item in found), items=found)


def _item(what: str, state: str = "ok", help: str = "", *actions: Do | Action) -> Finding:
    made = [Action(do) if isinstance(do, Do) else do for do in actions]
    return Finding(what=what, state=state, help=help, actions=made)


def _python() -> Finding:
    return _item(f"python {sys.version.split()[0]}")


def _git() -> Finding:
    found = shutil.which("git")
    if found is None:
        return _item("git", "missing", "install git 2.20 or newer")
    return _item(ask([found, "--version"]) or "git")


def _identity() -> list[Finding]:
    """Only what is missing is said; a repository may set an identity of its own."""
    place = file_of_user("~")
    if place is not None and not place.is_dir():
        place = Path("/")  # the user's settings are read wherever git stands
    try:
        if shutil.which("git") is None or place is None or identity.can_commit(str(place)):
            return []
    except GitUnknown as error:
        return [_item(f"git does not say with which name it commits: {error}", "note")]
    return [_item(identity.NO_IDENTITY, "note", identity.HOW_TO_SET)]


_INSTALL = "install bubblewrap (`bwrap`)"


def _sandbox(home: Path) -> Finding:
    by, trouble = sandbox.found()
    if trouble:
        return _item(f"no sandbox: {trouble}", "note", _INSTALL)
    if by in sandbox.LESS:
        what = f'sandbox: {by}, only with `sandbox = "worktree"`, and {sandbox.LESS[by]}'
        return _item(what, "note", "" if by == sandbox.SEATBELT else _INSTALL)
    if trouble := sandbox.own_home_trouble(str(home.absolute())):
        what = f"sandbox: bubblewrap, with a read-only home directory: {trouble}"
        return _item(
            what,
            "note",
            'programs have it only with `sandbox = "worktree"`',
        )
    return _item("sandbox: bubblewrap, for each CLI that was verified in it")


def _server_of(home: Path) -> int | None:
    try:
        return connection.read(home).pid
    except connection.NoRuntime:
        return None


def _scopes(pid: int | None) -> list[Finding]:
    if sys.platform != "linux":
        return []
    place, why = scopes.find(pid=pid)
    failed = scopes.trouble(place) if place is not None else ""
    if place is None or failed:
        help = "loginctl enable-linger" if why == scopes.LOGOUT else ""
        what = f"programs run in no scope of systemd: {why or failed}"
        return [_item(what, "note" if help or failed else "ok", help)]
    return [_item(f"each program runs in a scope of systemd, with at most {place.mib} MiB")]


def _board() -> Finding:
    return _item("no board in this version: `up`, `follow` and the web door show what happens")


def _home(home: Path) -> list[Finding]:
    place = home if home.exists() else home.parent
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK):
        return [_item(f"home {home}", "missing", f"make {place} writable, or name another --home")]
    try:
        served = connection.read(home)
        serving = [_item(f"home {home}, served by process {served.pid}"), _sockets(served)]
    except NoRuntime as none:
        serving = [_item(f"home {home}: {none}", "note", "", Do.SERVE)]
    return [*serving, *_disk(place)]


def _disk(place: Path) -> list[Finding]:
    found = room.disk(place)
    if found is None:
        return [_item(f"{place} does not say how much of its disk is free", "note")]
    free, whole = found
    reserve = room.disk_reserve(whole)
    if free >= reserve:
        return [_item(f"{free} MiB free")]
    what = f"{free} MiB free on the disk of {place}: no program is started below {reserve}"
    return [
        _item(what, "note", "free some space, or remove what finished workflows left", Do.CLEAN)
    ]


def _sockets(served: connection.Connection) -> Finding:
    place = Path(served.requests.removeprefix("ipc://"))
    if place.exists():
        return _item(f"sockets in {place.parent}")
    return _item(f"{place} was removed", "note", "the runtime makes it again within 5 s")


def _database(home: Path) -> list[Finding]:
    """All of it is read, history too: about a second for a million facts."""
    path = home / "callboard.db"
    lost, *ways = lost_database(home).split("\n")
    if lost:
        help = "; ".join(way.removeprefix("help: ") for way in ways)
        return [_item(lost, "missing", help, Do.END_TERMINALS)]
    if not path.exists():
        return []
    try:
        wrong = {name: what for name, what in damage.examine(path).items() if what}
    except Damaged as error:
        return [_item(str(error), "missing")]
    except OSError as error:
        return [_item(str(error), "note")]
    if not wrong:
        return [_item("the database is sound")]
    words = "; ".join(f"{name}: {what}" for name, what in wrong.items())
    said = f"the database is damaged ({words}); its other tables are sound"
    return [_item(said, "missing", "in turn; terminals go on", Do.STOP_RUNTIME, Do.MEND)]


def mend(home: Path) -> str:
    """Mend the database, with nobody else in the home.

    Return what was done. Raises `Refused` and leaves the database as it was.
    """
    path = home / "callboard.db"
    if not path.exists():
        raise Refused(404, Reason.UNKNOWN, f"{path} is not there")
    lock = connection.hold(home)
    if lock is None:
        said = f"process {connection.holder(home)} serves {home}"
        raise Refused(503, Reason.SERVED, said, actions=[Action(Do.STOP_RUNTIME)])
    try:
        mended = mending.mend(path)
    except (StoreError, OSError) as error:
        raise Refused(500, Reason.FAILED, f"not mended, and left as it was: {error}") from error
    finally:
        os.close(lock)
    if mended is None:
        return "nothing to mend"
    lost = f"facts {mended.lost[0]} to {mended.lost[-1]}" if mended.lost else "nothing"
    return f"mended; lost: {lost} ({len(mended.lost)} in all); the old file is {mended.kept}"


def _terminals(home: Path) -> list[Finding]:
    """Programs whose hosts live; without a runtime they are orphans, and are said."""
    try:
        hosts = running_hosts(home)
    except OSError as error:
        return [_item(f"terminals cannot be listed: {error}", "note")]
    if not hosts:
        return [_item("no terminal is running")]
    with contextlib.suppress(NoRuntime):
        connection.read(home)
        return [_item(f"{len(hosts)} terminals are running")]
    return [
        _item(
            f"{len(hosts)} terminals run without a runtime",
            "note",
            "take them over, or end them",
            Do.SERVE,
            Do.END_TERMINALS,
        )
    ]


def _clis(run: bool) -> list[Finding]:
    try:
        profiles = lookup.profiles()
    except ProfileError as error:
        return [_item(str(error), "missing", f"mend {config_path(lookup.PROFILES)}")]
    return [_cli(profile, run) for profile in profiles.values() if profile.command]


def _cli(profile: Profile, run: bool) -> Finding:
    found = shutil.which(profile.command[0])
    if found is None:
        missing = f"{profile.name}: {profile.command[0]} is not installed"
        return _item(missing, "note", profile.version.install)
    if run:
        return canary.finding(profile)
    version = find_version(profile, ask([found, *profile.version.args]))
    help: list[str] = []
    is_in = machine.logged_in(profile)
    if is_in is False:
        help.append(f"log in by running it once ({profile.command[0]}), or name a provider")
    own = {True: ", logged in", False: ", no login of yours found", None: ""}[is_in]
    if version_is_verified(profile, version):
        what = f"{profile.name} {version or ''}".strip() + own
        return _item(what, "note" if help else "ok", "; ".join(help))
    verified = ", ".join(profile.version.verified)
    help.append(f"the profile was verified with {verified}; prompts are not answered by themselves")
    what = f"{profile.name} {version or 'of unknown version'}{own}"
    return _item(what, "note", "; ".join(help), Action(Do.TRY_CLI, profile.name))
