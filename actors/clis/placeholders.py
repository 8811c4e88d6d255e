"""Fill in the placeholders of a profile, such as `{model}`: in arguments and in config files."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from actors.clis.providers import Provider
from actors.git.reading.refs import HEADS
from actors.git.running.places import Within
from actors.platform.files import read_line

_PLACEHOLDER: Final = re.compile(r"\{([a-z][a-z0-9_]*)\}")


class LaunchError(Exception):
    """A launch cannot be prepared. The message says what and why, and holds no secret."""


def filled(template: Any, known: Mapping[str, str]) -> Any:
    """Return `template` with the placeholders in its keys and values replaced.

    A table entry with a placeholder that has no value is left out. Unknown placeholders stay as
    they are.
    """
    if isinstance(template, Mapping):
        pairs = ((k, v) for k, v in template.items() if not _lacking(k, known))
        pairs = ((k, v) for k, v in pairs if not (isinstance(v, str) and _lacking(v, known)))
        return {_fill(k, known): filled(v, known) for k, v in pairs}
    if isinstance(template, list):
        return [filled(item, known) for item in template]
    return _fill(template, known) if isinstance(template, str) else template


def placeholders(
    provider: Provider | None, key: str | None, home: Path, worktree: Path, main_repo: Path
) -> dict[str, str]:
    """Return the placeholders' values. An empty value means that there is none."""
    common = main_repo / ".git"
    git_dir = _git_dir(common, worktree)
    refs, logs = _of_branch(common, git_dir)
    known = dict.fromkeys(("model", "base_url", "base_url_v1", "base_url_root"), "")
    known |= {"home": str(home), "worktree": str(worktree), "main_repo": str(main_repo)}
    known |= {"git_dir": str(git_dir), "git_common_dir": str(common)}
    known |= {"git_refs": str(refs), "git_logs": str(logs)}
    if provider is not None:
        known["model"] = provider.model
        if provider.base_url:
            known["base_url"] = provider.base_url.rstrip("/")
            known["base_url_v1"] = provider.base_url_v1
            known["base_url_root"] = provider.base_url_root
    return known | {"key": key or ""}


def _git_dir(common: Path, worktree: Path) -> Path:
    """Return git's directory of a worktree, as the repository knows it and not as `.git` says."""
    try:
        return Within(str(common)).admin(str(worktree)).resolve()
    except OSError:
        return worktree / ".git"


def _of_branch(common: Path, git_dir: Path) -> tuple[Path, Path]:
    """Return the directories of the ref and of the log of the branch that is checked out.

    On no branch both are `git_dir`, which holds all that a commit writes.
    """
    try:
        head = read_line(git_dir / "HEAD")
    except OSError:
        head = ""
    ref = Path(head.removeprefix("ref:").strip())
    if not head.startswith("ref:") or not ref.is_relative_to(HEADS) or ".." in ref.parts:
        return git_dir, git_dir
    return common / ref.parent, common / "logs" / ref.parent


def _lacking(text: str, known: Mapping[str, str]) -> bool:
    return any(known.get(name) == "" for name in _PLACEHOLDER.findall(text))


def _fill(text: str, known: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: known.get(found[1], found[0]), text)


def strictly_filled(path: str, args: tuple[str, ...], known: Mapping[str, str]) -> list[str]:
    """Return `args` with placeholders replaced. Raise `LaunchError` if one has no value."""
    for index, arg in enumerate(args):
        for name in _PLACEHOLDER.findall(arg):
            if known.get(name) == "":
                raise LaunchError(f"{path}[{index}]: {{{name}}}, but the provider has no {name}")
    return [_fill(arg, known) for arg in args]
