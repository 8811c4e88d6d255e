"""The messages, requests and facts of Callboard, and how they are sent."""
