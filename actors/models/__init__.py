"""The model gateway: it holds the keys of providers, and agents ask their models through it.

A process of its own (`process`) is a loopback proxy for each agent. An agent has no key, only a
token of its incarnation. `keeper` is the actor that starts the process and says what a token is
good for.
"""
