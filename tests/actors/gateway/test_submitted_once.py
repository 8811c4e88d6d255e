"""A plan that is submitted again with its key is stored once."""

from pathlib import Path
from typing import Any

import pytest

from actors.command_line.up import submit
from bus.client import Client, NoAnswer
from tests.actors.served import Served
from tests.doors.kit import shell_plan
from tests.repositories import make_repo


class Deaf(Client):
    """A client whose first answer is lost, after the request was carried out."""

    lost = 0

    def ask(self, request: Any, **more: Any) -> Any:
        answer = super().ask(request, **more)
        if not Deaf.lost:
            Deaf.lost += 1
            raise NoAnswer("plan.submit: no answer")
        return answer


def names(served: Served) -> list[str]:
    return [row["id"] for row in served.client.call("workflow.list")]


def test_the_same_key_and_plan_give_the_same_workflow_also_after_a_restart(tmp_path: Path) -> None:
    plan = shell_plan(make_repo(tmp_path / "repo"))
    served = Served(tmp_path / "home")
    ids = [served.client.call("plan.submit", plan=plan, key="k")["id"] for _ in range(2)]
    ids.append(served.client.call("plan.submit", plan=plan, key="other")["id"])
    served.close()
    served = Served(tmp_path / "home")
    ids.append(served.client.call("plan.submit", plan=plan, key="k")["id"])
    ids += [served.client.call("plan.submit", plan=plan)["id"] for _ in range(2)]
    assert ids == ["demo", "demo", "demo-2", "demo", "demo-3", "demo-4"]
    served.close()


def test_a_client_whose_answer_was_lost_makes_one_workflow(
    served: Served,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Deaf, "lost", 0)
    fields = {"plan": shell_plan(make_repo(tmp_path / "repo")), "base": ""}
    assert submit(lambda: Deaf(served.at.requests), fields, again=False).id == "demo"
    assert Deaf.lost == 1
    assert names(served) == ["demo"]
    assert "asking again" in capsys.readouterr().err
