#!/usr/bin/env python3
"""Prints the feed of a Callboard home: `python examples/subscribe.py HOME [ADDRESS]`."""

import json
import sys
from pathlib import Path

import zmq

connection = json.loads(Path(sys.argv[1], "connection.json").read_text())
feed = zmq.Context().socket(zmq.SUB)
feed.connect(connection["feed"])
feed.subscribe(sys.argv[2] if len(sys.argv) > 2 else "")
while True:
    address, _, fact = feed.recv_string().partition(" ")
    print(address, fact, flush=True)
