"""Try one profile: run its program once, and say what of the profile holds.

The program gets a scratch repository with a linked worktree, a config home of its own and a
provider on 127.0.0.1 that plays the model: it has the program's shell tool commit a file. The
program is started, read, typed into and ended with the same parts as a terminal's. What differs
from a terminal: there is no sandbox and no runtime, and a screen is looked at all the time.
"""

import contextlib
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from actors.clis import home, usage
from actors.clis.judging import Judgement
from actors.clis.keys import NoSuchChoice
from actors.clis.life import Life
from actors.clis.placeholders import LaunchError
from actors.clis.profile import Profile, find_version, version_is_verified
from actors.clis.providers import Provider
from actors.clis.recognise import answer_policy
from actors.clis.trial import model
from actors.clis.trial.terminal import TrialTerminal
from actors.clis.version import ask as printed
from actors.git.running.command import GitFailed, git
from actors.platform.workers import Worker, WorkerDied
from bus.kinds import LimitKind
from bus.trials import Trial, TrialCheck

INSTRUCTION: Final = "Add made.txt, please.\nThen commit it with #done."
KEY, MODEL = "callboard-try-key", "callboard-try"
COMMAND: Final = "echo made > made.txt && git add made.txt && git commit -qm 'Add made.txt #done'"
THINKS: Final = 2.0
"""Seconds until the model answers if no busy screen was seen; else it answers at once."""
VERSION_SECONDS: Final = 60.0
"""How long the program may take to print its version: the first start of some unpacks them."""
TURN_SECONDS: Final = 90.0
NOTHING_SECONDS: Final = 20.0
"""Seconds without a change of the screen after which nothing is expected any more."""
SETTLED_SECONDS: Final = 2.0
ENTER_SECONDS: Final = 4.0
EXIT_SECONDS: Final = 15.0
LOOK_SECONDS: Final = 0.15
SCREEN_SECONDS: Final = 15.0
"""Of processor time, as of `SCREEN_PATIENCE` by the clock, for one look at its screen."""
SCREEN_PATIENCE: Final = 120.0
_MOST_ANSWERS: Final = 10


def try_profile(profile: Profile, user: Mapping[str, str], *, ask: bool = False) -> Trial:
    """Run the program of a profile once; blocks for 10 s to 3 minutes.

    `user` is the user's environment. With `ask`, the program is started so that it asks, and its
    questions are answered as with `auto_confirm = "known"`; otherwise so that it asks nothing.
    """
    trial = Trial(cli=profile.name)
    found = shutil.which(profile.command[0], path=user.get("PATH"))
    if found is None:
        trial.checks.append(
            TrialCheck("installed", "failed", f"{profile.command[0]} is not on the PATH")
        )
        return trial
    with contextlib.closing(Worker("screens", SCREEN_PATIENCE, SCREEN_SECONDS)) as worker:
        said = printed([found, *profile.version.args], user, VERSION_SECONDS)
        with contextlib.suppress(WorkerDied):
            trial.version = worker.call(find_version, profile, said) or ""
        trial.verified = version_is_verified(profile, trial.version or None)
        trying = _Trying(profile, user, trial, worker, ask)
        try:
            trying.run()
        except (LaunchError, GitFailed, WorkerDied, NoSuchChoice, OSError, ValueError) as error:
            trying.failed("run", str(error))
    trial.ok = all(check.state != "failed" for check in trial.checks)
    return trial


class _Trying:
    """One trial, in one thread."""

    def __init__(
        self,
        profile: Profile,
        user: Mapping[str, str],
        trial: Trial,
        worker: Worker,
        ask: bool,
    ) -> None:
        self._profile, self._user, self._trial = profile, user, trial
        self._worker, self._ask = worker, ask
        self._text, self._since = "", 0.0
        self._life = Life()
        self._answered: dict[str, str] = {}
        self._saw_busy = threading.Event()
        self._began = self._evidence = False

    # ---- what is reported --------------------------------------------------------------------

    def failed(self, what: str, text: str, screen: str = "") -> None:
        """Report something of the profile that does not hold."""
        self._trial.checks.append(TrialCheck(what, "failed", text, screen))

    def _holds(self, what: str, holds: bool, text: str, otherwise: str, screen: str) -> None:
        if holds:
            self._trial.checks.append(TrialCheck(what, "ok", text))
        else:
            self.failed(what, otherwise, screen)

    def _untried(self, what: str, text: str) -> None:
        self._trial.checks.append(TrialCheck(what, "untried", text))

    # ---- the run -----------------------------------------------------------------------------

    def run(self) -> None:
        with (
            tempfile.TemporaryDirectory(
                prefix="callboard-try-", ignore_cleanup_errors=True
            ) as directory,
            model.playing(COMMAND, lambda: self._saw_busy.wait(THINKS)) as played,
        ):
            place = Path(directory).resolve()
            worktree = _scratch(place)
            launch = home.prepare(
                self._profile,
                Provider("callboard-try", base_url=played.url, model=MODEL),
                place / "home",
                self._user,
                worktree,
                place / "repo",
                key=KEY,
                bypass=not self._ask,
            )
            terminal = TrialTerminal(
                self._profile,
                self._worker,
                place / "host",
                place / "home",
                launch.argv,
                launch.env,
                worktree,
            )
            with terminal:
                if self._ready(terminal):
                    if _has_provider(self._profile):
                        self._turn(terminal, played, worktree)
                        self._files(launch.home)
                    else:
                        text = "no instruction was typed: the profile sets no provider, so the "
                        self._untried("turn", f"{text}program would ask a model of its own")
                    self._exit(terminal)

    def _ready(self, terminal: TrialTerminal) -> bool:
        start, limit = time.monotonic(), self._profile.ready_timeout

        def over(seen: Judgement) -> bool:
            login = seen.limit is not None and seen.limit.by == LimitKind.LOGIN
            nothing = bool(seen.text.strip()) and self._still() > NOTHING_SECONDS
            return login or (seen.ready and self._still() >= 0.5) or nothing

        seen = self._watch(terminal, over, limit)
        seconds = time.monotonic() - start
        login = seen.limit is not None and seen.limit.by == LimitKind.LOGIN
        ready = seen.ready and not login and terminal.exit is None
        what = "asks for a login" if login else f"no ready screen within {seconds:.0f} s"
        if terminal.exit is not None:
            what = f"the program ended at once with {terminal.code}"
        text = f"`ready` matched after {seconds:.1f} s" if self._profile.ready else "it is quiet"
        self._holds("ready", ready, text, what, seen.text)
        self._questions("start")
        return ready

    def _turn(self, terminal: TrialTerminal, played: model.ModelServer, worktree: Path) -> None:
        profile = self._profile
        head, self._began, self._evidence = _head(worktree), False, False
        self._saw_busy.clear()
        start = time.monotonic()
        before = terminal.submit(INSTRUCTION)
        entered = False

        def over(seen: Judgement) -> bool:
            nonlocal entered
            if not entered and not self._began and time.monotonic() - start > ENTER_SECONDS:
                entered = True
                terminal.press_enter()
            done = _head(worktree) != head and seen.ready and not seen.busy
            return (done and self._still() >= SETTLED_SECONDS) or self._still() > NOTHING_SECONDS

        last = self._watch(terminal, over, TURN_SECONDS, before)
        asked = [request for request in played.seen() if request["texts"]]
        texts = [_words(" ".join(request["texts"])) for request in asked]
        arrived = any(_words(INSTRUCTION) in text or str(terminal.file) in text for text in texts)
        otherwise = "the instruction did not reach the model"
        if arrived:
            otherwise = "it reached the model, but neither `busy` nor `submit.evidence` matched"
        text = "a turn was seen" + (" after a second Enter" if entered else "")
        self._holds("delivered", arrived and self._began, text, otherwise, last.text)
        given = {(request["key"], request["model"]) for request in asked}
        self._holds(
            "provider",
            given == {(KEY, MODEL)},
            "address, key and model arrived",
            f"key and model that arrived: {sorted(given) or 'none'}",
            "",
        )
        if profile.busy:
            text = "`busy` matched while a turn ran"
            self._holds("busy", self._saw_busy.is_set(), text, "`busy` never matched", last.text)
        if profile.submit.evidence:
            text = "`submit.evidence` matched where the program was not busy"
            otherwise = "`submit.evidence` never matched"
            self._holds("evidence", self._evidence, text, otherwise, last.text)
        self._questions("turn")
        self._holds(
            "work",
            _head(worktree) != head,
            "the commit is on the branch",
            "nothing was committed",
            last.text,
        )
        idle = last.ready and not last.busy and terminal.exit is None
        text = "ready and not busy after the turn"
        self._holds("end of turn", idle, text, f"{text}: no", last.text)

    def _files(self, config: Path) -> None:
        profile = self._profile
        if profile.usage.files:
            counted = usage.count(profile, config)
            known = counted is not None and counted.requests > 0
            text = f"{counted.requests} requests were counted" if counted else ""
            self._holds("usage", known, text, "no file of [usage] tells what was used", "")
        if profile.session.files:
            session = usage.newest_session(profile, config)
            self._holds("session", bool(session), session, "no file of [session] was found", "")

    def _exit(self, terminal: TrialTerminal) -> None:
        rule = self._profile.exit
        if terminal.exit is None and rule.text:
            terminal.submit(rule.text)
        elif terminal.exit is None and rule.keys:
            terminal.write([(rule.keys.encode(), 0)])
        elif terminal.exit is None:
            self._untried("exit", "the profile has no `exit.text` and no `exit.keys`")
            return
        terminal.rest(ENTER_SECONDS)
        seen = terminal.look()
        if terminal.exit is None and rule.text:
            terminal.press_enter()  # a busy program misses one
        terminal.rest(EXIT_SECONDS)
        code = terminal.code
        fine = code == 0 or str(code) in rule.codes
        text = f"ended with {code}" if code is not None else "it still runs"
        self._holds("exit", fine, text, text, seen.text)

    # ---- looking -----------------------------------------------------------------------------

    def _watch(
        self,
        terminal: TrialTerminal,
        over: Callable[[Judgement], bool],
        seconds: float,
        before: int | None = None,
    ) -> Judgement:
        """Look until `over`, or the program has ended, or `seconds` are over. Answer questions."""
        self._text, self._since = "", time.monotonic()
        self._life.forget()
        deadline = self._since + seconds
        while True:
            seen = terminal.look(before)
            if seen.text != self._text:
                self._text, self._since = seen.text, time.monotonic()
            self._life.see(seen.text, time.monotonic())
            self._began = self._began or seen.began
            quiet = seen.began and not seen.busy and seen.prompt is None
            self._evidence = self._evidence or quiet
            if seen.busy:
                self._saw_busy.set()
            if over(seen) or terminal.exit is not None or time.monotonic() > deadline:
                return seen
            self._answer(terminal, seen)
            terminal.rest(LOOK_SECONDS)

    def _still(self) -> float:
        return time.monotonic() - self._since

    def _answer(self, terminal: TrialTerminal, seen: Judgement) -> None:
        """Answer a question that the profile knows, when it has stood still but for blinking."""
        still = self._life.still(time.monotonic())
        if seen.prompt is None or still < SETTLED_SECONDS:
            return
        label = answer_policy("known", seen.prompt)
        if label is not None and len(self._answered) < _MOST_ANSWERS:
            self._answered[seen.prompt.name] = label
            terminal.answer(label)
            self._since = time.monotonic()
            self._life.forget()

    def _questions(self, when: str) -> None:
        for name, label in self._answered.items():
            text = f"{name}, at the {when}: answered with {label!r}"
            self._trial.checks.append(TrialCheck("question", "ok", text))
        self._answered.clear()


def _has_provider(profile: Profile) -> bool:
    rule = profile.provider
    return bool(rule.env or rule.args or rule.set)


def _words(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _scratch(place: Path) -> Path:
    """Make a repository with one commit below `place`; return a linked worktree of it."""
    repo, worktree = place / "repo", place / "worktree"
    repo.mkdir()
    settings = {
        "user.name": "Callboard",
        "user.email": "callboard@localhost",
        "commit.gpgsign": "false",
        "core.hooksPath": "/dev/null",
    }
    git("init", "-q", "-b", "main", at=str(repo))
    for name, value in settings.items():
        git("config", name, value, at=str(repo))
    git("commit", "-q", "--allow-empty", "-m", "First", at=str(repo))
    git("worktree", "add", "-q", "-b", "feat/try", str(worktree), at=str(repo))
    return worktree


def _head(worktree: Path) -> str:
    return git("rev-parse", "HEAD", at=str(worktree)).decode().strip()
