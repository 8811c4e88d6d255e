"""What a person types: the commands, clients of the runtime."""
