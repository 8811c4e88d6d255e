"""Switch the provider in the user's own configuration files.

This is for a program whose config home cannot be moved:

    switched = switch_on(profile, provider, known, user_env, journal)   # write the files
    …start the program, wait until it is ready and has read them…
    switch_off(switched)                                                # restore the files

Before a file is changed, its old bytes and the changes are written to a journal file (mode 0600) in
the Callboard home. After a crash, `restore_pending` restores everything from it. If nobody else
wrote the file meanwhile, it gets its old bytes back. Otherwise only Callboard's own keys are
undone. A provider's key is not written into the user's files if the program reads it from its
environment.

Only one switch may be on at a time, across all workflows. The caller must ensure this.
"""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from actors.clis.edit import ConfigError, Document, Format, leaves, replace_file
from actors.clis.home import Edit, original, provider_edits
from actors.clis.placeholders import LaunchError
from actors.clis.profile import Profile
from actors.clis.providers import Provider

_SUFFIX: Final = ".switch.json"
Outcome = Literal["restored", "undone", "untouched", "left"]


class _Key(msgspec.Struct, frozen=True):
    """One changed key. `old` counts only if `had`, `new` only if `has`."""

    path: list[str]
    had: bool
    old: Any
    has: bool
    new: Any


class _File(msgspec.Struct, frozen=True):
    path: str
    format: Format
    existed: bool
    mode: int
    before: str  # base64
    after_sha: str
    keys: list[_Key]


_decode_files = msgspec.json.Decoder(list[_File]).decode


class Switched(msgspec.Struct, frozen=True):
    """A switch that is on: its journal file and the configuration files that it changed."""

    journal: Path
    files: list[Path]


class Restored(msgspec.Struct, frozen=True):
    """The outcome for one file.

    - `restored`: it has its old bytes again.
    - `undone`: somebody else wrote it meanwhile; only Callboard's keys were undone.
    - `untouched`: it already was as before.
    - `left`: it can no longer be parsed and was not changed. Its old bytes stay in the journal
      file, whose name then ends in `.left`.
    """

    path: Path
    outcome: Outcome


def switch_on(
    profile: Profile,
    provider: Provider,
    known: Mapping[str, str],
    user_env: Mapping[str, str],
    journal: Path,
) -> Switched:
    """Write the provider into the user's own configuration files of `profile`.

    `known` is the result of `home.placeholders`. `journal` is a directory in the Callboard home.
    Raise `LaunchError` and leave the files as they were if one cannot be changed.
    """
    files: list[_File] = []
    written: list[tuple[Path, bytes, int]] = []
    for name, edit in provider_edits(profile, provider, known).items():
        found = original(profile, name, user_env)
        if found is None:
            raise LaunchError(f"cli.{profile.name}.home.user: missing: where is the user's {name}?")
        path = found.resolve()
        try:
            file, after = _planned(path, edit)
        except (ConfigError, UnicodeDecodeError) as error:
            raise LaunchError(f"cli.{profile.name}: {path}: {error}") from error
        files.append(file)
        written.append((path, after, file.mode))
    journal.mkdir(mode=0o700, parents=True, exist_ok=True)
    note = journal / f"{secrets.token_hex(8)}{_SUFFIX}"
    replace_file(note, msgspec.json.encode(files), 0o600)
    switched = Switched(note, [path for path, _, _ in written])
    try:
        for path, data, mode in written:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, data, mode)
    except OSError as error:
        switch_off(switched)
        raise LaunchError(f"{error.filename}: {error.strerror}") from error
    return switched


def switch_off(switched: Switched) -> list[Restored]:
    """Restore the files. A second call, or one after `restore_pending`, does nothing."""
    return _restore(switched.journal) if switched.journal.exists() else []


def restore_pending(journal: Path) -> list[Restored]:
    """Undo the switches that a crash left on, newest first. Call it before starting any program."""
    notes = sorted(journal.glob(f"*{_SUFFIX}"), key=lambda note: note.stat().st_mtime_ns)
    return [done for note in reversed(notes) for done in _restore(note)]


def _planned(path: Path, edit: Edit) -> tuple[_File, bytes]:
    existed = path.is_file()
    before = path.read_bytes() if existed else b""
    after = edit.apply(before.decode()).encode()
    file = _File(
        str(path),
        edit.format,
        existed,
        path.stat().st_mode & 0o777 if existed else 0o600,
        base64.b64encode(before).decode(),
        _sha(after),
        _changed(before.decode(), after.decode(), edit.format),
    )
    return file, after


def _changed(before: str, after: str, kind: Format) -> list[_Key]:
    old, new = (dict(leaves(Document(text, kind).plain())) for text in (before, after))
    paths = [p for p in {**old, **new} if (p in old, old.get(p)) != (p in new, new.get(p))]
    return [_Key(list(p), p in old, old.get(p), p in new, new.get(p)) for p in paths]


def _restore(note: Path) -> list[Restored]:
    try:
        files = _decode_files(note.read_bytes())
    except msgspec.DecodeError:
        note.rename(note.with_name(note.name + ".left"))  # torn: no file was changed yet
        return []
    done = [Restored(Path(file.path), _put_back(file)) for file in files]
    if any(item.outcome == "left" for item in done):
        note.rename(note.with_name(note.name + ".left"))
    else:
        note.unlink()
    return done


def _put_back(file: _File) -> Outcome:
    path, before = Path(file.path), base64.b64decode(file.before)
    now = path.read_bytes() if path.is_file() else None
    if now == (before if file.existed else None):
        return "untouched"
    if now is not None and _sha(now) == file.after_sha:
        if file.existed:
            replace_file(path, before, file.mode)
        else:
            path.unlink()
        return "restored"
    try:
        document = Document((now or b"").decode(), file.format)
        for key in sorted(file.keys, key=lambda key: key.had):  # first remove, then restore
            _undo(document, key)
        replace_file(path, document.dump().encode(), file.mode)
    except (ConfigError, UnicodeDecodeError):
        return "left"
    return "undone"


def _undo(document: Document, key: _Key) -> None:
    """Restore the old value of a key, unless somebody else changed it meanwhile."""
    path = tuple(key.path)
    try:
        now = (True, document.get(path))
    except KeyError:
        now = (False, None)
    ours = now == (key.has, key.new)
    if ours and key.had:
        document.set(path, key.old)
    elif ours:
        document.remove(path)


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
