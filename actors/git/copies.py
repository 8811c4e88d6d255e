"""The files of the user's checkout that a plan's `copy` names."""

from pathlib import Path


def to_copy(repo: Path, patterns: list[str]) -> list[Path]:
    """Return the files that the patterns match, relative to the checkout; none in `.git`."""
    found = {
        source.relative_to(repo)
        for pattern in patterns
        for source in repo.glob(pattern)
        if source.is_file()
    }
    return sorted(name for name in found if ".git" not in name.parts)
