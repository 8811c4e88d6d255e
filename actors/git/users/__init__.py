"""The user's repository: its examination, its settings, and the files that all worktrees share."""
