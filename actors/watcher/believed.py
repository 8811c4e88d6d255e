"""What the watcher believes of a worktree, whatever an agent has made of its `.git`."""

from actors.git.running.places import Within
from actors.git.trees.reach import for_reading
from actors.system.stage import Stage
from actors.watcher.commits import Branch


def believed(stage: Stage, workflow: str, branch: Branch) -> Within:
    """Return the repository of a branch's worktree, and the sandbox for our git there."""
    git_dir, _ = stage.reader.repository(workflow)
    fenced = stage.reader.plan(workflow).fences(branch.address)
    return for_reading(git_dir, branch.worktree, stage.paths.unseen(fenced))
