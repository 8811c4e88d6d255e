"""The repository's shared files, compared with the copy of a workflow.

A difference is told once, as a fact. Where it is one that must be looked at, the row says so
(`held`), and the merger lands nothing until a person has put the files back or accepted them.
"""

import hashlib
import logging

import msgspec

from actors.git.running.command import GitFailed
from actors.git.running.converting import converting
from actors.git.running.names import shown
from actors.git.running.places import main_workdir
from actors.git.users import keeping, shared
from actors.git.users.keeping import Kept
from actors.git.users.shared import Change
from actors.supervision.actor import Actor
from actors.system.stage import Stage
from bus import address as addresses
from bus.action import Action, Do
from bus.errors import Refused
from bus.facts import RepairOffered, RepositoryChanged, RepositorySettled
from bus.kinds import Settled
from bus.messages import ConfigAsk, Look
from bus.peer import Caller
from bus.reasons import Reason
from bus.requests import ConfigRestore
from bus.results import ConfigSettled
from bus.status import FINAL_WORKFLOW
from store.change import Operation, Update
from store.errors import LostRace
from store.submission import settings_text

log = logging.getLogger("callboard.watcher")

NAMES = 6
"""Names of changed files in a sentence."""
LOST = "its copy in the home is gone, or was changed"


class Fence:
    """One workflow's part of the watcher. For the watcher's thread."""

    def __init__(
        self, stage: Stage, actor: Actor, workflow: str, git_dir: str, target: str
    ) -> None:
        self._stage = stage
        self._actor = actor
        self._id = workflow
        self._git_dir = git_dir
        self._target = target
        self._where = addresses.workflow(workflow)
        self._place = stage.paths.kept(workflow)
        self._seen: object = None

    def look(self) -> None:
        """Compare, and tell a change that is new. Raise `StoreError`.

        Of a workflow that is over nothing lands any more, and its copy is being removed.
        """
        if self._stage.reader.standing(self._id)[0] in FINAL_WORKFLOW:
            return
        row = self._stage.reader.kept(self._id)
        seen = (shared.stamp(self._git_dir), keeping.stamp(self._place), row)
        if seen == self._seen:
            return
        kept, changed, _ = row
        if not kept:
            kept = self._keep()
        found, held = self._compare(keeping.load(self._place, kept))
        news = _digest(found, held)
        if news != changed:
            self._tell(changed, news, found, held)
        self._seen = (*seen[:2], self._stage.reader.kept(self._id))

    def answer(self, message: ConfigAsk) -> None:
        """Do what a request asks for, and answer it."""
        request, replies = message.request, self._stage.replies
        how = Settled.RESTORED if isinstance(request, ConfigRestore) else Settled.ACCEPTED
        try:
            files = self._settle(how, message.caller)
        except Refused as error:
            replies.refuse(message.client, request.id, error)
        else:
            replies.reply(message.client, request.id, ConfigSettled(self._id, files))

    def _settle(self, how: Settled, caller: Caller) -> list[str]:
        """Put the files back, or take them as they are; return the names. Raise `Refused`.

        What is taken is what was told: a person has looked at no other change.
        """
        self.look()
        kept, changed, _ = self._stage.reader.kept(self._id)
        copy = keeping.load(self._place, kept)
        found, held = self._compare(copy)
        names = [shown(change.name) for change in found]
        taken: dict[str, str] = {}
        if how is Settled.RESTORED:
            names = self._put_back(copy)
        elif _digest(found, held) != changed:
            said = "the repository was changed again; look at the newest change first"
            raise Refused(409, Reason.MOVED_ON, said, actions=[Action(Do.WHY, self._where)])
        else:
            kept = self._copy()
            taken = {"settings": settings_text(converting(self._git_dir))}
        self._store(
            {"kept": kept, "changed": "", "held": "", **taken},
            changed,
            RepositorySettled(
                address=self._where,
                how=how,
                files=names,
                by=caller.by,
                peer=caller.peer,
            ),
        )
        self.look()
        return names

    def _put_back(self, copy: Kept | None) -> list[str]:
        if copy is None:
            said = f"the repository cannot be put back: {LOST}"
            actions = [Action(Do.ACCEPT_CONFIG, self._where)]
            raise Refused(400, Reason.NO_COPY, said, actions=actions)
        try:
            aside = self._place / "put-aside"
            return list(map(shown, keeping.put_back(self._git_dir, copy, self._target, aside)))
        except (GitFailed, OSError) as error:
            said = f"the repository cannot be put back: {error}"
            raise Refused(400, Reason.NOT_PUT_BACK, said) from error

    def _keep(self) -> str:
        """Keep the files from now on: the workflow is older, or its submission was cut."""
        kept = self._copy()
        update = Update("workflow", self._id, {"kept": kept}, {"kept": ""})
        self._stage.commit(self._actor, [update])
        return kept

    def _copy(self) -> str:
        row = self._stage.reader.workflow(self._id)
        workdir = main_workdir(self._git_dir, row.repo if row is not None else "")
        return keeping.keep(self._git_dir, workdir, self._place)

    def _compare(self, copy: Kept | None) -> tuple[list[Change], str]:
        """Return the changes, and the sentence that says what keeps the workflow from landing."""
        if copy is None:
            return [], LOST
        found = shared.changes(copy.files, shared.read(self._git_dir), self._target)
        names = [shown(change.name) for change in found if change.held]
        more = f" and {len(names) - NAMES} more" if len(names) > NAMES else ""
        said = f"the repository was changed: {', '.join(names[:NAMES])}{more}" if names else ""
        return found, said

    def _tell(self, changed: str, news: str, found: list[Change], held: str) -> None:
        columns = {"changed": news, "held": held}
        if not news:
            fact = RepositorySettled(address=self._where, how=Settled.AS_BEFORE)
            self._store(columns, changed, fact)
            return
        said = RepositoryChanged(
            address=self._where,
            files=[shown(change.name) for change in found[: shared.COUNT]],
            held=bool(held),
            diff=keeping.described(found) or LOST,
            at_work=at_work(self._stage, self._git_dir),
        )
        actions = [Action(do, self._where) for do in (Do.RESTORE_CONFIG, Do.ACCEPT_CONFIG)]
        offer = RepairOffered(
            address=self._where,
            failed=[self._where],
            evidence=f"{held}; nothing lands until a person has looked\n{said.diff}",
            actions=actions,
        )
        self._store(columns, changed, said, *([offer] if held else []))

    def _store(self, columns: dict[str, str], changed: str, *facts: Operation) -> None:
        update = Update("workflow", self._id, dict(columns), {"changed": changed})
        try:
            self._stage.commit(self._actor, [update, *facts])
        except LostRace as lost:
            log.info("%s: %s", self._id, lost)
        self._stage.tell(addresses.merger(self._id), Look())


def at_work(stage: Stage, git_dir: str) -> list[str]:
    """Return the terminals of this runtime that work in this repository now."""
    found = []
    for id in stage.reader.unfinished_ids():
        row = stage.reader.workflow(id)
        if row is not None and row.git_dir == git_dir:
            found += [t.address for t in row.terminals() if not t.gone]
    return found


def _digest(found: list[Change], held: str) -> str:
    if not found and not held:
        return ""
    named = [msgspec.structs.replace(change, name=shown(change.name)) for change in found]
    return hashlib.sha256(msgspec.msgpack.encode((named, held))).hexdigest()
