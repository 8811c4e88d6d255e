"""What a browser or an HTTP program uses: a client of the public sockets, in its own process."""
