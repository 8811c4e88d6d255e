"""What takes the keyboard away from a program, read off the screen."""

import pytest

from actors.clis.obstacle import Obstacle, find_obstacle
from actors.clis.screen import render

NANO = "  GNU nano 7.2\r\n\r\ntext\r\n^G Help   ^O Write Out\r\n^X Exit\x1b[3;1H"
VIM = "first\r\n" + "~\r\n" * 8 + '".git/COMMIT_EDITMSG" 12L, 300B'


@pytest.mark.parametrize(
    ("output", "found"),
    [
        ("* Working (esc to interrupt)\r\n[sudo] password for ann: ", Obstacle.PASSWORD),
        ("Enter passphrase for key '/home/ann/.ssh/id_rsa': ", Obstacle.PASSWORD),
        ("Username for 'https://example.org': ", Obstacle.PASSWORD),
        ("line 1\r\nline 2\r\n:", Obstacle.PAGER),
        ("line 1\r\n(END)", Obstacle.PAGER),
        ("line 1\r\n--More--(12%)", Obstacle.PAGER),
        (VIM, Obstacle.EDITOR),
        ("text\r\n" + "~\r\n" * 8 + "-- INSERT --\x1b[1;3H", Obstacle.EDITOR),
        ("\r\n" + "~\r\n" * 8 + '"x.txt" [New]\x1b[1;1H', Obstacle.EDITOR),
        ("\r\n" + "~\r\n" * 8 + '"x.txt" [New]        0,0-1    All\x1b[1;1H', Obstacle.EDITOR),
        (NANO, Obstacle.EDITOR),
    ],
)  # fmt: skip
def test_it_is_found(output: str, found: Obstacle) -> None:
    assert find_obstacle(render(output.encode(), 24, 80)) is found


@pytest.mark.parametrize(
    "output",
    [
        "",
        "> ",
        "I asked for the password: it is in the file.\r\n\r\n> ",
        "Enter the password:\r\n\r\n> ",
        "The pager shows\r\n:\r\n> ",
        "a\r\n~\r\n~\r\n> ",
        "* Working (esc to interrupt)\r\n$ make\r\ncc -c a.c",
    ],
)
def test_what_a_model_writes_is_none(output: str) -> None:
    assert find_obstacle(render(output.encode(), 24, 80)) is None
