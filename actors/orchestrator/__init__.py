"""A model that is asked when something happened, and proposes what to do next."""
