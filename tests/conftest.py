"""For every test, and for every process that a test starts."""

import faulthandler
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from actors.platform import sandbox
from tests.doors.acting import Acting
from tests.doors.kit import Home, shell_plan
from tests.fences import path_without
from tests.repositories import make_repo

# The program is started a thousand times. Where nothing compiled may be kept, as in many
# containers, each start would compile all of it: three times the work of the start itself.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A shell has what it runs in the background ignore SIGINT, and so would all that a test starts.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says how busy the machine is.
settings.register_profile("callboard", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("callboard")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository with one commit on `main`."""
    return make_repo(tmp_path / "repo")


@pytest.fixture(params=[sandbox.BUBBLEWRAP, sandbox.LANDLOCK])
def fence(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """The sandbox that is made here; it comes before the home in a test's arguments."""
    wanted: str = request.param
    if wanted == sandbox.LANDLOCK:
        monkeypatch.setenv("PATH", path_without("bwrap", tmp_path_factory.mktemp("path")))
    by, why = sandbox.found()
    if by != wanted:
        pytest.skip(why or f"{by} is made here")
    return wanted


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A home whose terminals are ended with the test."""
    home = Home(tmp_path / "home")
    yield home
    home.close()


@pytest.fixture
def acting(home: Home) -> Acting:
    """A home with a runtime that serves it."""
    home.serve()
    return Acting(home)


@pytest.fixture
def shell(home: Home, repo: Path, tmp_path: Path) -> Acting:
    """A workflow whose one terminal is a shell that has been told nothing yet."""
    home.serve()
    acting = Acting(home)
    acting.call("plan.submit", plan=shell_plan(repo), base=str(tmp_path))
    acting.call("workflow.prepare", workflow="demo")
    acting.status("ready")
    return acting


class _Last:
    """What is still said of a run that stands still or is ended from outside."""

    def __init__(self, config: pytest.Config) -> None:
        self._terminal = config.pluginmanager.get_plugin("terminalreporter")
        self._errors = os.dup(2)  # a test's own is captured
        self._limit = float(config.getini("timeout"))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Show a failure when it happens: the summary may never come."""
        if report.failed and self._terminal is not None and "PYTEST_XDIST_WORKER" not in os.environ:
            self._terminal.write_line(f"\n{report.when} of {report.nodeid} failed")
            self._terminal.write_line(report.longreprtext)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """End the process of a test that outlives its limit where Python handles no signal."""
        marker = item.get_closest_marker("timeout")
        limit = float(marker.args[0]) if marker else self._limit
        faulthandler.dump_traceback_later(2 * limit, exit=True, file=self._errors)
        try:
            return (yield)
        finally:
            faulthandler.cancel_dump_traceback_later()


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(_Last(config))
