"""What a repository holds: commits, refs, the graph, changes of a worktree, the identity."""
