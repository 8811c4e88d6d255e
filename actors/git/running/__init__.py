"""Run git and libgit2: the program, its environment, errors, names, places and locks."""
