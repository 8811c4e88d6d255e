"""The language and the wire: what can be said, and how it travels."""
