"""Tell a person what waits for one or is over, by a program or a web address of theirs."""
