"""What a branch changes, as the model sees it. Runs in a worker process."""

from actors.git.reading.branch_diff import branch_diff
from actors.git.running.command import GitFailed, GitUnknown, git

_COMMITS = 5
_FILES = 60


def changes(git_dir: str, base: str, tip: str) -> str:
    """Return the newest messages and the changed files between two commits; "" if git fails."""
    try:
        said = git("log", "--format=%h %s%n%b", f"-n{_COMMITS}", f"{base}..{tip}", at=git_dir)
        diff = branch_diff(git_dir, "", base, tip, text=False)
    except (GitFailed, GitUnknown):
        return ""
    files = [
        f"{each.path} " + ("binary" if each.binary else f"+{each.added} -{each.removed}")
        for each in diff.files
    ]
    left = f"\n… and {len(files) - _FILES} more files" if len(files) > _FILES else ""
    return f"{said.decode('utf-8', 'replace').strip()}\n\n" + "\n".join(files[:_FILES]) + left
