"""What a program on another machine uses: the two sockets over TCP, each with CURVE keys."""
