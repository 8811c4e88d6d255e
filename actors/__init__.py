"""The company: what acts."""

VERSION = "0.1.0"
