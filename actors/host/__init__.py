"""The program that must not die: the host of one terminal. Standard library only."""
