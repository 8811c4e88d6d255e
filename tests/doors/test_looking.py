"""Looking, and how the command line answers.

One JSON document, exit codes, names that are shortened, `--home` before and after the command.
"""

import json
import os
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.pty.ending import running_hosts
from tests.doors.kit import PYTHON, ROOT, Call, Home, coder, done, plan_text
from tests.repositories import make_repo

RUN = [PYTHON, str(ROOT / "run.py")]


def run(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*RUN, *words], capture_output=True, text=True, timeout=60, check=False)


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home whose plan `demo` has landed and is tidied. Only looked at."""
    base = tmp_path_factory.mktemp("landed")
    home = Home(base / "home")
    repo = make_repo(base / "repo")
    plan = write(base / "plan.toml", plan_text(repo, {"a": [done("a")]}, head='test = ["true"]'))
    home.serve()
    ran = home.run("up", plan, "--json")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert json.loads(ran.stdout)["status"] == "completed"
    home.until(lambda row: row["tidied"])  # nothing changes any more
    yield home
    home.close()


@pytest.fixture
def many(home: Home, repo: Path, tmp_path: Path) -> Home:
    """A runtime with the workflows alpha, alpha-2, alpine and runtime-2, all `created`."""
    home.serve()
    text = plan_text(repo, {"a": [coder("$ true")]})
    for name, id in (("alpha", "alpha"), ("Alpha!", "alpha-2"), ("alpine", "alpine"),
                     ("runtime", "runtime-2")):  # fmt: skip
        plan = write(tmp_path / "plan.toml", text.replace('name = "demo"', f'name = "{name}"'))
        assert home.json("submit", plan)["id"] == id
    return home


# ---- JSON ----------------------------------------------------------------------------------


def test_no_secret_is_shown(landed: Home) -> None:
    (secret,) = [
        json.loads(path.read_text())["token"]
        for path in landed.path.glob("terminals/demo/a/1/*/host.json")
    ]
    assert secret
    for words in (["ps"], ["ps", "demo"], ["tree"], ["events"], ["why", "demo/a/1"]):
        assert secret not in landed.ok(*words, "--json")


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["ps"], list),
        (["ps", "demo"], list),
        (["tree"], dict),
        (["why", "demo"], dict),
        (["why", "demo/a/1"], dict),
        (["events"], list),
        (["events", "demo/a", "--type", "commit.seen"], list),
        (["events", "--after", "100000"], list),
        (["merge", "demo", "--preview"], list),
    ],
)
def test_every_reading_command_prints_one_json_document(
    landed: Home, words: list[str], kind: type
) -> None:
    ran = landed.run(*words, "--json")
    assert isinstance(json.loads(ran.stdout), kind)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_doctor_prints_one_json_document(landed: Home) -> None:
    assert isinstance(json.loads(landed.run("doctor", "--json").stdout), dict)


def test_every_reading_command_has_a_form_for_people(landed: Home) -> None:
    for words, word in (("ps", "demo/"), ("ps demo", "demo/"), ("tree", "runtime/gateway/"),
                        ("why demo/a", "demo/a/"), ("events", "demo/")):  # fmt: skip
        out = landed.ok(*words.split())
        assert word in out
        with pytest.raises(ValueError, match=r"Expecting|Extra"):
            json.loads(out)


def test_looking_changes_nothing_and_wakes_nobody(landed: Home) -> None:
    """At what has ended, too: no fact, no row, no program. Hazard 19."""

    def stands() -> tuple[Any, ...]:
        return landed.facts(), landed.json("ps", "demo"), running_hosts(landed.path)

    before = stands()
    for words in ("ps", "ps demo", "tree", "events demo/a/1", "why demo", "why demo/a",
                  "why demo/a/1", "merge demo --preview", "doctor"):  # fmt: skip
        landed.run(*words.split())
    assert stands() == before
    assert before[2] == []


def test_events_are_filtered_by_address_type_and_seq(landed: Home) -> None:
    every = landed.facts()
    assert [f["seq"] for f in every] == list(range(1, len(every) + 1))
    below = landed.facts("demo/a")
    assert below == [f for f in every if f["address"].startswith("demo/a/")]
    assert landed.facts("demo/a/") == below
    two = landed.facts("--type", "commit.seen", "--type", "merge.landed")
    assert [f["type"] for f in two] == ["commit.seen", "merge.landed"]
    assert landed.facts("--after", "5") == every[5:]


def test_following_prints_one_document_a_line_from_the_first_fact(landed: Home) -> None:
    every = landed.facts()
    following = subprocess.Popen(
        [*RUN, "events", "--follow", "--json", "--home", str(landed.path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert following.stdout is not None
    lines = [json.loads(following.stdout.readline()) for _ in every]
    assert lines == every
    following.send_signal(signal.SIGINT)
    _, errors = following.communicate(timeout=20)
    assert errors == ""


def test_following_goes_on_with_what_comes(home: Home, repo: Path, tmp_path: Path) -> None:
    home.serve()
    following = subprocess.Popen(
        [*RUN, "events", "--follow", "--json", "--home", str(home.path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert following.stdout is not None
    assert json.loads(following.stdout.readline())["type"] == "runtime.started"
    home.ok("submit", write(tmp_path / "plan.toml", plan_text(repo, {"a": [coder("$ true")]})))
    assert json.loads(following.stdout.readline())["new"] == "created"
    following.kill()
    following.communicate()


def test_a_merge_without_more_is_a_preview(landed: Home) -> None:
    assert landed.ok("merge", "demo") == landed.ok("merge", "demo", "--preview")


@pytest.mark.parametrize("words", [["events"], ["ps", "--json"], ["why", "demo"], ["tree"]])
def test_a_reader_that_goes_away_is_no_error(landed: Home, words: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write) as gone:
        ran = subprocess.run(
            [*RUN, *words, "--home", str(landed.path)],
            stdout=gone,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (ran.returncode, ran.stderr) == (1, "")


# ---- exit codes ----------------------------------------------------------------------------


def test_0_is_done_and_1_is_the_thing_asked_for_failed(
    home: Home, repo: Path, tmp_path: Path
) -> None:
    text = plan_text(repo, {"a": [done("a")]}, head='test = ["false"]')
    plan = write(tmp_path / "plan.toml", text)
    assert home.run("check", plan).returncode == 0
    failed = home.run("up", plan)
    assert failed.returncode == 1, failed.stderr
    assert "demo" in failed.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["dance"],
        ["ps", "--dance"],
        ["check"],
        ["events", "--after", "-1"],
        ["events", "--after", "x"],
        ["events", "--type", "commit.sen"],
        ["reject", "demo/a"],
        ["merge", "demo", "--continue", "--abort"],
        ["merge", "demo", "--preview", "--abort"],
        ["ps", "nobody"],
        ["ps", ""],
        ["why", "nobody"],
        ["why", "demo/nobody"],
        ["why", "demo/a/9"],
        ["events", "nobody/a"],
        ["prepare", "nobody"],
        ["prepare", ""],
        ["stop", ""],
        ["merge", "", "--abort"],
        ["retry", ""],
        ["retry", "demo/nobody"],
        ["approve", "demo/nobody"],
        ["answer", "demo/a/9", "Yes"],
    ],
)
def test_2_is_a_name_or_a_usage_that_is_wrong(landed: Home, call: Call, words: list[str]) -> None:
    code, out, err = call(*words, "--home", str(landed.path))
    assert (code, out) == (2, ""), err
    assert "rror:" in err


def test_3_is_no_runtime(home: Home, call: Call, repo: Path, tmp_path: Path) -> None:
    plan = write(tmp_path / "plan.toml", plan_text(repo, {"a": [done("a")]}))
    for words in (["ps"], ["tree"], ["events"], ["events", "--follow"], ["why", "x"], ["down"],
                  ["submit", plan], ["prepare", "x"], ["approve", "x/y"]):  # fmt: skip
        code, out, err = call(*words, "--home", str(home.path))
        assert (code, out) == (3, ""), err
        assert f"error: no runtime serves {home.path}" in err
        assert "help: python run.py serve" in err
    assert not home.path.exists()


def test_3_is_a_home_that_is_busy_and_the_error_says_who_holds_it(home: Home) -> None:
    first = home.serve()
    second = home.run("serve")
    assert second.returncode == 3
    assert f"process {first.pid} serves {home.path} already" in second.stderr
    assert home.json("ps") == []


def test_3_is_a_home_that_cannot_be_one(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ran = run("serve", "--home", str(tmp_path / "file"))
    assert ran.returncode == 3
    assert "Traceback" not in ran.stderr


def test_4_is_refused_in_this_state_and_leaves_it(many: Home, call: Call) -> None:
    head = len(many.facts())
    for words in (["start", "alpine"], ["pause", "alpine"], ["resume", "alpine"],
                  ["approve", "alpine/a"], ["retry", "alpine/a"], ["reject", "alpine/a", "--reason",
                  "r"], ["merge", "alpine", "--abort"]):  # fmt: skip
        code, out, err = call(*words, "--home", str(many.path))
        assert (code, out) == (4, ""), err
        assert err.startswith("error: "), err
    assert many.status("alpine") == "created"
    assert len(many.facts()) == head


# ---- names ---------------------------------------------------------------------------------


def test_a_workflow_is_named_by_any_unique_prefix_with_or_without_the_last_slash(
    many: Home,
) -> None:
    for word, id in (("alpi", "alpine"), ("alpine/", "alpine"), ("alpha", "alpha"),
                     ("alpha/", "alpha"), ("alpha-", "alpha-2"), ("r", "runtime-2")):  # fmt: skip
        (row,) = many.json("ps", word)
        assert row["id"] == id
    assert many.json("why", "alpi/a")["address"] == "alpine/a/"
    assert {f["address"].split("/")[0] for f in many.facts("alpi")} == {"alpine"}
    assert {f["address"].split("/")[0] for f in many.facts("alpha")} == {"alpha"}
    assert {f["address"].split("/")[0] for f in many.facts("runtime-2")} == {"runtime-2"}
    assert {f["address"].split("/")[0] for f in many.facts("runtime")} == {"runtime"}


def test_a_prefix_of_several_is_refused_and_they_are_named(many: Home) -> None:
    for words in (["ps", "alp"], ["prepare", "al"], ["events", "al/a"], ["stop", "a"]):
        ran = many.run(*words)
        assert (ran.returncode, ran.stdout) == (2, ""), ran
        assert "alpha, alpha-2, alpine" in ran.stderr
    assert {row["status"] for row in many.json("ps")} == {"created"}


def test_a_command_takes_a_prefix_too(many: Home) -> None:
    assert many.json("stop", "alpi")["status"] == "cancelled"
    assert many.status("alpine") == "cancelled"
    assert many.status("alpha") == "created"


# ---- where the home is -----------------------------------------------------------------------


def test_the_home_may_stand_before_and_after_the_command_and_the_nearer_counts(
    landed: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, other = str(landed.path), str(tmp_path / "other")
    rows = landed.json("ps")
    for words in (
        ["--home", home, "ps", "--json"],
        ["ps", "--json", "--home", home],
        ["--home", other, "ps", "--home", home, "--json"],
    ):
        assert json.loads(run(*words).stdout) == rows
    monkeypatch.setenv("CALLBOARD_HOME", home)
    assert json.loads(run("ps", "--json").stdout) == rows
    assert run("ps", "--home", other).returncode == 3


def test_a_command_that_helps_can_be_copied_with_its_home(repo: Path, tmp_path: Path) -> None:
    place = tmp_path / "it's a home"
    home = Home(place)
    ran = home.run("ps")
    assert ran.stderr.splitlines()[-1] == "help: " + home.command("serve")
    served = home.serve()
    try:
        busy = home.run("serve").stderr.splitlines()[-1]
        assert busy == "help: " + home.command("ps")
        home.ok("submit", write(tmp_path / "plan.toml", plan_text(repo, {"a": [done("a")]})))
        refused = home.run("start", "demo").stderr.splitlines()[-1]
        assert shlex.split(refused)[-3:] == ["demo", "--home", str(place)]
        home.ok("prepare", "demo")
        home.ok("down")
        assert served.stdout is not None
        said = served.stdout.read().splitlines()
        assert [shlex.split(line)[-1] for line in said] == [str(place), str(place)]
    finally:
        home.close()


def test_help_is_there_without_anything_else() -> None:
    words: list[Any] = [["--help"], ["up", "--help"], ["events", "--help"]]
    for each in words:
        ran = run(*each)
        assert (ran.returncode, ran.stderr) == (0, "")
        assert "--home" in ran.stdout
