"""Worktrees of tasks: make, fill, keep, pin and remove them."""
