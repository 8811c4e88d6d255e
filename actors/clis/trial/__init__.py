"""Try one CLI in a scratch repository, against a server on 127.0.0.1 that plays the model."""
