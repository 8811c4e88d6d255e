"""Prepare the launch of one terminal's program: its config home, arguments and environment.

    DIR/            mode 0700, made by `prepare`, removed by `cleanup`
    DIR/config/     the program's config home, seeded from the user's own
    DIR/tmp/        its TMPDIR

Each terminal has its own config home, so two terminals of one CLI can use two providers at the same
time. The user's own files are only read. This module does not start the program.

What a program left in `config` and `tmp` is not believed when its conversation goes on: it may be
in a sandbox, and `prepare` is not. No link is followed there, and what is no regular file is none.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Set
from pathlib import Path
from typing import Any, Final

import msgspec

from actors.clis.edit import ConfigError, Format, edited
from actors.clis.placeholders import LaunchError, filled, placeholders, strictly_filled
from actors.clis.profile import Drop, Profile, SetKeys
from actors.clis.providers import Provider
from actors.git.running.places import Within
from actors.git.users import settings
from actors.platform import disk
from actors.platform.files import read_bounded
from bus.environment import is_one_of
from bus.user import file_of_user

_MOST: Final = 64 << 20
"""Bytes of a configuration file: one with a long history fits."""
_MARK: Final = ".callboard-home"
_MARK_TEXT: Final = "Made by Callboard for one terminal; removed when the terminal is gone.\n"

# The variables of the user's environment that a program gets: the user and the locale, network and
# signing, toolchains. Git's identity is passed. Variables that point git at another repository
# (GIT_DIR, GIT_INDEX_FILE, GIT_WORK_TREE) are not, and neither is any secret that is not named here
# or in the profile's `keep`.
PASSED: Final = tuple(
    name
    for line in (
        "PATH HOME USER LOGNAME SHELL TZ LANG LANGUAGE LC_* EDITOR VISUAL PAGER",
        "SSH_AUTH_SOCK SSH_AGENT_PID GNUPGHOME GPG_TTY DBUS_SESSION_BUS_ADDRESS",
        "GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL",
        "GIT_SSH GIT_SSH_COMMAND GIT_ASKPASS GIT_CONFIG_GLOBAL GIT_CONFIG_SYSTEM",
        "XDG_* HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy",
        "SSL_CERT_FILE SSL_CERT_DIR NODE_EXTRA_CA_CERTS REQUESTS_CA_BUNDLE CURL_CA_BUNDLE",
        "VIRTUAL_ENV CONDA_PREFIX PYENV_ROOT NVM_DIR NODE_PATH VOLTA_HOME FNM_* ASDF_* MISE_*",
        "JAVA_HOME ANDROID_HOME GOPATH GOROOT GOCACHE CARGO_HOME RUSTUP_HOME DOTNET_ROOT",
        "HOMEBREW_PREFIX NIX_* DOCKER_HOST",
    )
    for name in line.split()
)


_GIT_SECONDS = 30.0


class Launch(msgspec.Struct, frozen=True):
    """How to start a program, and which files were made for it.

    `env` is the program's complete environment. It may hold a key, so `repr` does not show it.
    `home` is the program's config home.
    """

    argv: list[str]
    env: dict[str, str]
    files: list[Path]
    home: Path

    def __repr__(self) -> str:
        return f"Launch(argv={self.argv!r}, env=<{len(self.env)} variables>, home={self.home!r})"


def prepare(
    profile: Profile,
    provider: Provider | None,
    directory: Path,
    user_env: Mapping[str, str],
    worktree: Path,
    main_repo: Path,
    *,
    git_dir: str = "",
    key: str | None = None,
    bypass: bool = False,
    isolated: bool = True,
    session: str = "",
) -> Launch:
    """Make `directory` and return how to start the profile's program with it.

    `git_dir` is the repository's common git directory; without it, `.git` in `main_repo`.
    `key` is the provider's key (`providers.key_of`). Without `isolated`, the program uses the
    user's own config home, into which `switch.switch_on` writes the provider. A second call renews
    the same directory; with `session`, a conversation in it goes on. Raise `LaunchError` if the
    launch cannot be prepared.
    """
    if not profile.command:
        raise LaunchError(f"cli.{profile.name}.command: missing: the program and its arguments")
    _write(directory, _MARK, _MARK_TEXT.encode())
    config, tmp = directory / "config", directory / "tmp"
    files_root = config / profile.home.inside
    for made in (config, files_root, tmp):
        _make_private(made, directory)
    known = placeholders(provider, key, files_root, worktree, main_repo)
    known["session"] = session
    own = provider is not None and bool(provider.base_url)
    files: list[Path] = []
    if isolated:
        files += _seed(profile, files_root, user_env, login=not own)
        files += _write_keys(profile, provider, files_root, known, set(files))
    env = environment(profile, user_env, own_provider=own)
    env["TMPDIR"] = str(tmp)
    env |= settings.for_agents()
    if profile.git_identity:
        env = _git_identity(env, worktree, git_dir or str(main_repo / ".git")) | env
    env |= filled(profile.env, known)
    if isolated and profile.home.env:
        env |= {profile.home.env: str(config), **filled(profile.home.also, known)}
        env |= _login_place(profile, user_env)
    else:
        own_places = (profile.home.env, profile.home.login_env)
        env |= {name: user_env[name] for name in own_places if name in user_env}
    env |= provider_env(profile, provider, known)
    argv = argv_of(profile, provider, known, bypass)
    return Launch(argv, env, list(dict.fromkeys(files)), config)


def argv_of(
    profile: Profile, provider: Provider | None, known: Mapping[str, str], bypass: bool
) -> list[str]:
    """Return the command line. Raise `LaunchError` if the provider lacks a value that it needs."""
    path = f"cli.{profile.name}"
    if known.get("session"):
        argv = strictly_filled(f"{path}.session.resume", profile.session.resume, known)
    else:
        argv = strictly_filled(f"{path}.command", profile.command, known)
    which = "bypass_args" if bypass else "ask_args"
    argv += strictly_filled(f"{path}.{which}", getattr(profile, which), known)
    if provider is not None and provider.base_url:
        argv += filled(list(profile.provider.args), known)
    if provider is not None and provider.model:
        argv += filled(list(profile.provider.model_args), known)
    return argv


def provider_env(
    profile: Profile, provider: Provider | None, known: Mapping[str, str]
) -> dict[str, str]:
    """Return the variables that set the provider, including its key."""
    env: dict[str, str] = {}
    if provider is not None and provider.base_url:
        env |= filled(profile.provider.env, known)
    if provider is not None and provider.model:
        env |= filled(profile.provider.model_env, known)
    return env


_OFF: Final = frozenset({"", "0", "false", "no", "off"})


def environment(
    profile: Profile, user_env: Mapping[str, str], *, own_provider: bool
) -> dict[str, str]:
    """Return the user's variables that a program gets, with a terminal type and a UTF-8 locale.

    The variables in the profile's `keep` (the CLI's own login and settings) are passed only without
    `own_provider`, that is, if the terminal has no provider with an address.
    """
    names = list(PASSED) + ([] if own_provider else list(profile.keep))
    for chosen, more in profile.keep_if.items():
        if user_env.get(chosen, "").lower() not in _OFF and not own_provider:
            names += more
    env = {
        name: value
        for name, value in user_env.items()
        if is_one_of(name, names) and not is_one_of(name, profile.unset)
    }
    env["TERM"] = "xterm-256color"
    env["COLORTERM"] = "truecolor"
    locale = env.get("LC_ALL") or env.get("LC_CTYPE") or env.get("LANG") or ""
    if not re.search(r"utf-?8", locale, re.IGNORECASE):
        env.pop("LC_CTYPE", None)
        env["LANG"] = env["LC_ALL"] = "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8"
    return env


def _login_place(profile: Profile, user_env: Mapping[str, str]) -> dict[str, str]:
    """Return the variable that says where the user's own program keeps its logins.

    An empty value stands for the default directory.
    """
    name = profile.home.login_env
    return {name: user_env.get(name, user_env.get(profile.home.env, ""))} if name else {}


def _git_identity(env: Mapping[str, str], worktree: Path, git_dir: str) -> dict[str, str]:
    """Return git's identity in the worktree as variables, without values that git does not know.

    The repository is believed, and not the worktree's `.git`, which an agent can write. Raise
    `LaunchError` if git does not answer.
    """
    found: dict[str, str] = {}
    place, env = str(worktree), dict(env)
    try:
        env |= Within(git_dir).environment(str(worktree))
    except OSError:  # the repository knows no such worktree
        place = git_dir
    for key in ("name", "email"):
        asked = ["git", "-C", place, "config", "--get", f"user.{key}"]
        try:
            done = subprocess.run(
                asked, env=env, capture_output=True, text=True, timeout=_GIT_SECONDS
            )
        except subprocess.TimeoutExpired as late:
            raise LaunchError(f"git config took longer than {_GIT_SECONDS:g} s") from late
        said = done.stderr.strip()
        if done.returncode not in (0, 1) and "not a git repository" not in said:  # 1: it is not set
            raise LaunchError(f"git config ended with {done.returncode}: {said}")
        value = done.stdout.strip()
        if value:
            found |= {f"GIT_{who}_{key.upper()}": value for who in ("AUTHOR", "COMMITTER")}
    return found


def cleanup(directory: Path) -> None:
    """Remove the directory that `prepare` made; do nothing if there is none.

    Links are removed, never followed. Raise `LaunchError` if `prepare` did not make the directory.
    """
    if not directory.exists():
        return
    mark = directory / _MARK
    torn = mark.is_file() and _MARK_TEXT.startswith(mark.read_text(errors="replace"))
    if directory.is_symlink() or not (torn or not any(directory.iterdir())):
        raise LaunchError(f"{directory} was not made by Callboard; it is left alone")
    disk.remove_tree(directory)


def _seed(profile: Profile, home: Path, user_env: Mapping[str, str], *, login: bool) -> list[Path]:
    """Copy and link the user's own files into the config home; return the files made.

    Files that the user does not have are left out.
    """
    files: list[Path] = []
    for name in profile.seed.copy:
        source = original(profile, name, user_env)
        if source is not None and source.is_file():
            files.append(_write(home, name, source.read_bytes()))
    names = [*profile.seed.link, *(profile.seed.login if login else ())]
    for name in profile.seed.link_inside:
        source = original(profile, name, user_env)
        entries = source.iterdir() if source is not None and source.is_dir() else ()
        names += [f"{name}/{entry.name}" for entry in entries if not entry.name.startswith(".")]
    for name in names:
        source = original(profile, name, user_env)
        target = home / name
        if source is None or not source.exists():
            continue
        _make_private(target.parent, home)
        if not os.path.lexists(target):  # a program may have replaced the link
            target.symlink_to(source)
            files.append(target)
    return files


def original(profile: Profile, name: str, user_env: Mapping[str, str]) -> Path | None:
    """Return the path of the user's own copy of a file of the config home; None if unknown."""
    moved = user_env.get(profile.home.env) if profile.home.env else None
    if moved:
        return Path(moved) / profile.home.inside / name
    user_home = Path(user_env["HOME"]) if user_env.get("HOME") else file_of_user("~")
    if user_home is None:
        return None
    for source in profile.seed.elsewhere:
        if source.file == name:
            return _at_home(source.original, user_home)
    return _at_home(profile.home.user, user_home) / name if profile.home.user else None


def _at_home(path: str, user_home: Path) -> Path:
    return user_home / path.removeprefix("~/")


class Edit(msgspec.Struct):
    """The changes of one configuration file: first `drop`, then `values`."""

    format: Format
    drop: list[str] = []
    values: list[dict[str, Any]] = []

    def apply(self, text: str) -> str:
        """Return the file's new text. Raise `ConfigError` if it cannot be changed."""
        for at, values in enumerate(self.values or [{}]):
            text = edited(text, self.format, values, () if at else self.drop)
        return text


def provider_edits(
    profile: Profile, provider: Provider | None, known: Mapping[str, str]
) -> dict[str, Edit]:
    """Return the edits that set the provider, by file of the config home."""
    sets: list[SetKeys] = []
    drops: tuple[Drop, ...] = ()
    if provider is not None and provider.base_url:
        sets += profile.provider.set
        drops = profile.provider.drop
    if provider is not None and provider.model:
        sets += profile.provider.model_set
    edits = _edits(sets, known)
    for drop in drops:
        kind: Format = "toml" if drop.file.endswith(".toml") else "json"
        edits.setdefault(drop.file, Edit(kind)).drop.extend(drop.keys)
    return edits


def _edits(sets: Iterable[SetKeys], known: Mapping[str, str]) -> dict[str, Edit]:
    edits: dict[str, Edit] = {}
    for item in sets:
        edits.setdefault(item.file, Edit(item.format)).values.append(filled(item.values, known))
    return edits


def _write_keys(
    profile: Profile,
    provider: Provider | None,
    home: Path,
    known: Mapping[str, str],
    copied: Set[Path],
) -> list[Path]:
    """Merge the seed's and the provider's keys into the config home; return the files written.

    `copied` are the user's own files, which are there whole. Raise `LaunchError` if one is no text.
    """
    files: list[Path] = []
    for edits in (_edits(profile.seed.set, known), provider_edits(profile, provider, known)):
        for name, edit in edits.items():
            try:
                before = _read(home, name, users=home / name in copied)
                if before or edit.values:
                    files.append(_write(home, name, edit.apply(before).encode()))
            except (ConfigError, UnicodeDecodeError) as error:
                raise LaunchError(f"cli.{profile.name}: the user's {name}: {error}") from error
    return files


def _read(home: Path, name: str, *, users: bool) -> str:
    """Return the text of a file of the config home; "" for what is none, or lies behind a link.

    Raise `OSError` or `UnicodeDecodeError` for the `users` own file, which is there.
    """
    _make_private((home / name).parent, home)
    try:
        return read_bounded(home / name, _MOST, follow=False).decode()
    except (OSError, UnicodeDecodeError):
        if users:
            raise
        return ""


def _write(home: Path, name: str, data: bytes) -> Path:
    """Write a private file below `home`. Replace what is in its place instead of following it."""
    path = home / name
    _make_private(path.parent, home)
    disk.remove(path)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    return path


def _make_private(path: Path, home: Path) -> None:
    """Make a private directory. Replace what is no directory, or a link, from `home` on."""
    for each in [*reversed(path.relative_to(home).parents), path.relative_to(home)]:
        if (at := home / each).is_symlink() or (at.exists() and not at.is_dir()):
            at.unlink()
        at.mkdir(mode=0o700, parents=True, exist_ok=True)
        at.chmod(0o700)  # before what is in it is looked at: a program may have closed it
