"""The git watcher: what happens to a workflow's branches, as facts."""
