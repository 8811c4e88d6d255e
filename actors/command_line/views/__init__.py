"""What a person watches: tables, the live view, and what waits."""
