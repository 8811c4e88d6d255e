"""Say when refs may have changed: inotify, kqueue, or polling."""
