"""The door for requests, and the publisher of the feed."""
