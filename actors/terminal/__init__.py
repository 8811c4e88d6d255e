"""The terminal actor: one program in a terminal, one part for each concern."""
