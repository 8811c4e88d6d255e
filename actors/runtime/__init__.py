"""The runtime: one process that owns a home and runs its workflows."""
