"""What is asked of a runtime, and how one is started."""
