"""The functional core: what to do next, as a pure function of state and event.

It uses no clock, no I/O and no randomness. `decide` answers an event with the operations to store.
The workflow actor stores them, and tells the actors whose rows changed.
"""
