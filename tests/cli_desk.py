"""One real CLI at work.

A repository with a linked worktree, a user, the fake model, and the program started as Callboard
starts it.
"""

from collections.abc import Mapping
from pathlib import Path

from actors.clis.home import Launch, prepare
from actors.clis.keys import hand_in
from actors.clis.profile import Profile, load
from actors.clis.providers import provider
from actors.clis.recognise import is_busy, is_ready, turn_began
from actors.clis.screen import Screen
from tests.real_cli import Driven, Island
from tests.repositories import Repo

PROFILES = load()
NAMES = ["claude", "codex", "gemini", "qwen", "opencode", "aider"]
COMMIT = "echo made > made.txt && git add made.txt && git commit -qm 'Add made.txt #done'"


class Desk:
    """A repository with a linked worktree, a user, and programs started in it."""

    def __init__(self, root: Path, profile: Profile, path: str, island: Island) -> None:
        self.root, self.profile, self.island = root, profile, island
        self.repo, self.worktree = root / "repo", root / "wt"
        home = root / "home"
        for made in (home, self.repo):
            made.mkdir()
        (home / ".gitconfig").write_text("[user]\nname = T\nemail = t@example.org\n")
        self.env = {"PATH": path, "HOME": str(home), "USER": "tester", "SHELL": "/bin/sh"}
        self._repository = Repo.made(self.repo, self.env)
        self._repository.commit("First", {"README.md": "hello\n"})
        self.git("worktree", "add", "-qb", "feat/x", str(self.worktree))

    def git(self, *args: str) -> str:
        return self._repository.git(*args)

    def launch(self, name: str, *, bypass: bool, path: str = "", isolated: bool = True) -> Launch:
        """A provider of this name: its key is `key-NAME`, its model `model-NAME`.

        Without a name the program has what its user has.
        """
        table = {"base_url": self.island.url + path, "model": f"model-{name}", "api_key_env": "K"}
        return prepare(
            self.profile,
            provider(name, table) if name else None,
            self.root / (name or "own"),
            self.env,
            self.worktree,
            self.repo,
            key=f"key-{name}" if name else None,
            bypass=bypass,
            isolated=isolated,
        )

    def start(self, launch: Launch, more: Mapping[str, str] | None = None) -> Driven:
        """The program of `launch`, with `more` in its environment."""
        env = {**launch.env, **(more or {})}
        return Driven(launch.argv, env, self.worktree, self.island.prefix)

    def ready(self, screen: Screen) -> bool:
        return is_ready(self.profile, screen)

    def idle(self, screen: Screen) -> bool:
        return is_ready(self.profile, screen) and not is_busy(self.profile, screen)

    def deliver(self, program: Driven, text: str) -> Screen:
        """Hand `text` in and look.

        Without evidence of a turn after a while, Enter once more (a busy machine makes programs
        miss it). Returns the screen before.
        """
        before = program.wait(self.ready)
        program.write(hand_in(self.profile, before, text))
        try:
            program.wait(lambda s: turn_began(self.profile, before, s), seconds=8, quiet=0)
        except TimeoutError:
            program.write([(b"\r", 0)])
            program.wait(lambda s: turn_began(self.profile, before, s), quiet=0)
        return before

    def committed(self) -> str:
        return self.git("log", "-1", "--format=%s", "feat/x").strip()

    def wait_committed(self, program: Driven) -> Screen:
        """The idle screen after the turn: the closing answer came, or aider's own commit did."""
        return program.wait(
            lambda s: self.idle(s) and self.committed() == "Add made.txt #done", quiet=0.6
        )
