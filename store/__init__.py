"""The memory: what is true."""
