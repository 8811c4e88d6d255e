"""Merges in memory: objects are written, no ref and no checkout."""
