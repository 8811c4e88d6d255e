"""A plan held against this machine: check and submit."""
