"""Which process sends a request: a person's, or one of an agent.

An agent is not the user, although it runs as the user: whatever descends from a terminal's
host of this home, or from a `git` that the runtime runs, has no voice here. The kernel names
the process; its ancestors are read from /proc, where a process cannot change them. A program that
ends its own host before it connects has lost that ancestor, but not the limit that marks what
descends from a terminal (`host.family`), unless it changes that limit, too.
"""

import hmac
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from actors.host import family
from actors.platform.owners import runs_for
from actors.pty.records import mark_of
from bus.peer import By, Caller, Peer, Speaker, by_user, described
from store.errors import StoreError

_decode = msgspec.json.Decoder(Speaker).decode

_REMEMBERED = 512
"""Processes whose place is remembered: a door that asks often costs one read each time."""

_TRIES = 3
"""An ancestor may end while they are read; then its child has another one."""

_DEPTH = 1_000
"""Ancestors that are looked at; beyond that a process is unknown."""


class Callers:
    """Identifies the callers of one home. Used by one thread."""

    def __init__(
        self,
        home: Path,
        secret: str = "",
        tokens: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """Identify callers of this home. `secret` is what only the processes of doors know.

        `tokens` returns the addresses of the terminals by their hosts' tokens.
        """
        self._tokens = tokens
        self._home = str(home)
        self._secret = secret
        self._terminals = str(home / "terminals") + "/"
        self._known: dict[tuple[int, str], Caller] = {}

    def identify(self, peer: Peer | None, said: bytes = b"") -> Caller:
        """Say who a client is, or for whom a door speaks that sends the request.

        Reads /proc, and never raises for what it finds there. Raises `Refused` (422) where somebody
        who is no door says that he speaks for others.
        """
        if not said:
            return self._identify(peer)
        speaker = self._speaker(said)
        if speaker is None:
            return by_user(peer, said)
        found = self._spoken_for(speaker)
        return msgspec.structs.replace(
            found, right=speaker.right, key=speaker.key, request=speaker.request
        )

    def _spoken_for(self, speaker: Speaker) -> Caller:
        host = f"host={speaker.host}" if speaker.host else ""
        if speaker.key:
            return Caller(By.KEY, f"key={speaker.key} {host}".strip())
        if speaker.lost:
            return Caller(By.STRANGER, host, "the process that sent it has closed its connection")
        if speaker.peer is None:
            return Caller(By.PERSON, host)
        return self._identify(speaker.peer) if speaker.peer.pid else by_user(speaker.peer)

    def _speaker(self, said: bytes) -> Speaker | None:
        """What a door says, or None if it does not know the secret."""
        try:
            speaker = _decode(said)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        known = hmac.compare_digest(speaker.secret.encode(), self._secret.encode())
        return speaker if known and self._secret else None

    def _identify(self, peer: Peer | None) -> Caller:
        caller = by_user(peer)
        if peer is None or caller.refusal or not family.LINUX or peer.pid == os.getpid():
            return caller
        try:
            fields = family.stat(peer.pid) if peer.pid else None
        except OSError:
            fields = None
        if fields is None:
            why = f"its process {peer.pid} has ended, or this system does not show it"
            return Caller(By.STRANGER, described(peer), why)
        key = (peer.pid, fields[19])
        if key not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = self._judged(peer)
        return self._known[key]

    def _judged(self, peer: Peer) -> Caller:
        for _ in range(_TRIES):
            try:
                for words in _ancestors(peer.pid):
                    if of := self._agent(words):
                        return Caller(By.AGENT, described(peer), of)
                of = self._marked(peer.pid)
            except (OSError, ValueError, StoreError) as error:
                why = f"the ancestors of process {peer.pid} cannot be read: {error}"
            else:
                return Caller(By.AGENT, described(peer), of) if of else by_user(peer)
        return Caller(By.STRANGER, described(peer), why)

    def _marked(self, pid: int) -> str:
        """Say which terminal's limit a process has inherited; "" for none."""
        limit = family.limit_mark(pid)
        for token, address in self._tokens().items() if limit else ():
            if family.limit_of(mark_of(token)) == limit:
                return f"it comes from a program in the terminal {address}"
        return ""

    def _agent(self, words: list[str]) -> str:
        """What makes a process below this command line an agent's; "" if nothing does."""
        if Path(words[0]).name == "git" and runs_for(words, self._home):
            return "it was started by a hook, a filter or a merge driver of the repository"
        if any(word.endswith("/host.py") for word in words) and "--dir" in words[:-1]:
            place = words[words.index("--dir") + 1]
            if place.startswith(self._terminals):
                address = place.removeprefix(self._terminals).rpartition("/")[0]
                return f"it comes from a program in the terminal {address}/"
        return ""


def _ancestors(pid: int) -> Iterator[list[str]]:
    """The command lines of a process and of all above it.

    Raises `OSError` or `ValueError` where one of them cannot be read; one that ends meanwhile has
    none.
    """
    for _ in range(_DEPTH):
        fields = family.stat(pid)
        if fields is None:
            raise ValueError(f"process {pid} has ended meanwhile")
        text = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace")
        yield text.split("\0")
        pid = int(fields[1])
        if pid == 0:
            return
    raise ValueError("they have no end")
