"""Where a program works: the worktree of its task, or the scratch worktree of the merge.

It is made before the terminal has its turn with the launcher: git may hang in a filter of the
repository, and no other terminal is to wait for that. Each step may be repeated after a crash, with
the same result. Runs in the terminal actor's thread.
"""

from pathlib import Path

from actors.git.reading.refs import HEADS, read_ref
from actors.git.running.command import GitLate
from actors.git.running.converting import as_submitted
from actors.git.running.errors import RepositoryError
from actors.git.running.places import place_within
from actors.git.trees import worktrees
from actors.git.trees.copies import copy_all
from actors.platform import disk
from actors.terminal.errors import LaunchRefused
from actors.terminal.port import Port
from bus.plan import Plan
from bus.rows import Task, Workflow
from store.change import update_task
from store.reader import Reader


def place(port: Port, workflow: Workflow) -> Path:
    """Create the program's worktree if it is missing; return it.

    Raise `LaunchRefused`, or `StoreError`.
    """
    task = next((t for t in workflow.tasks if t.address == port.row.task), None)
    try:
        if task is None:
            return _merge_worktree(workflow)
        return _task_worktree(port, workflow, task)
    except RepositoryError as error:
        raise LaunchRefused(f"{error.message}; {error.help}") from error
    except GitLate as late:
        raise LaunchRefused(
            f"no worktree: {late}; a filter of the repository may be hanging"
        ) from late
    except OSError as error:
        raise LaunchRefused(str(error)) from error


def working_directory(worktree: Path, plan: Plan) -> Path:
    """Return the plan's directory in a worktree; create it if it is missing.

    It has the same path there as `repo` has in the user's checkout.
    """
    directory = worktree / place_within(plan.repo)
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def set_up_mark(worktree: Path) -> Path:
    """Return the file that marks a worktree as set up."""
    return worktree.with_name(f".{worktree.name}.set-up")


def mark_set_up(worktree: Path) -> None:
    """Mark the worktree as set up, durably.

    The worktree is synced first, so its files are there even after a power cut.
    """
    disk.sync(worktree)
    disk.write_durably(set_up_mark(worktree), b"")


def is_set_up(worktree: Path) -> bool:
    """Return whether the worktree is set up."""
    return set_up_mark(worktree).exists()


def _task_worktree(port: Port, workflow: Workflow, task: Task) -> Path:
    """Make the task's branch and worktree.

    The intent (base and path) is stored first, so that a crash in between ends with the same
    branch. A task that comes after others has its base already.
    """
    base, path = task.base, port.stage.paths.worktree(task.address)
    if not task.worktree:
        base = base or read_ref(workflow.git_dir, HEADS + workflow.target) or ""
        if not base:
            raise LaunchRefused(f"there is no branch {workflow.target!r} any more")
        change = update_task(
            task.address,
            {"base": task.base, "worktree": ""},
            base=base,
            tip=base,
            worktree=str(path),
        )
        port.commit([change])
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        set_up_mark(path).unlink(missing_ok=True)
    settings = port.stage.reader.git_settings(workflow.id)
    with as_submitted(workflow.git_dir, settings, str(path) if path.exists() else ""):
        worktrees.add(
            workflow.git_dir,
            str(port.stage.paths.home),
            str(path),
            branch=task.branch,
            base=base,
            owner=workflow.id,
            proof=_proof(port.stage.reader, task, base) if settings is not None else None,
        )
    if not is_set_up(path):
        copy_all(Path(workflow.repo), working_directory(path, port.plan), port.plan.copy)
        if not port.plan.setup:
            mark_set_up(path)
    return path


def _proof(reader: Reader, task: Task, base: str) -> str:
    """Return the proof that this runtime made a branch. Workflows of older versions have none."""
    return reader.proof("branch", task.address, task.branch, base)


def _merge_worktree(workflow: Workflow) -> Path:
    """Return the scratch worktree, in which the merger has put the conflict or the red tree."""
    path = Path(workflow.merge.worktree)
    if not workflow.merge.worktree or not path.exists():
        raise LaunchRefused("the scratch worktree of the merge is not there")
    return path
