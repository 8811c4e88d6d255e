"""Git: refs, commits, worktrees and merges of one repository."""
