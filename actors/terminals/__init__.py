"""Programs in terminals: the host process that outlives the runtime, and the link to it."""
