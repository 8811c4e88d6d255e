"""The company: what acts."""
