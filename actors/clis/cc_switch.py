"""Placeholder."""

from pathlib import Path


def key_from(reference: str, database: Path | None) -> str:
    """The key."""
    raise NotImplementedError
