"""What every actor of the company is given: paths, replies, timers, workers."""
