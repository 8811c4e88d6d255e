"""How what is told reaches a terminal: text, times, colours, commands, exits."""
