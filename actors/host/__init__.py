"""The host of one terminal: the program that must not die. Standard library only."""
