"""The functional core: what to do next, as a pure function of (state, event).

No clock, no I/O, no randomness. `decide` answers an event with the operations to store;
the workflow actor stores them and pokes those whose rows changed.
"""
