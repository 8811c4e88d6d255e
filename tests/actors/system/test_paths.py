"""Where a runtime keeps its files."""

from pathlib import Path

from actors.system.paths import Paths


def test_an_incarnation_has_a_directory_and_a_socket_of_its_own() -> None:
    paths = Paths(Path("/home"), Path("/run/s"))
    assert paths.terminal_dir("demo/a/1/", 2) == Path("/home/terminals/demo/a/1/2")
    assert paths.worktree("demo/a/") == Path("/home/worktrees/demo/a")
    assert paths.socket("demo/a/1/", 2) != paths.socket("demo/a/1/", 3)
    assert paths.socket("demo/a/1/", 2) != paths.socket("demo/a/2/", 2)


def test_the_name_of_a_socket_is_short_however_long_the_address_is() -> None:
    paths = Paths(Path("/home"), Path("/run/s"))
    assert len(paths.socket("x" * 1_000 + "/", 123).name) == len(paths.socket("x/", 123).name)
