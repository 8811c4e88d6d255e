"""A runtime whose root gives up while it starts: `python gives_up.py PYTHON SCRIPT WORDS…`.

Its publisher gets messages that nobody has a handler for, more than the root forgives, between
the start of the tree and that of the workflows.
"""

import runpy
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.argv = sys.argv[2:]
    sys.path.insert(0, str(Path(sys.argv[0]).parent))
    from actors import runtime
    from actors.behaviours.tree import Tree

    start_tree = runtime.start_tree

    def start_and_poison(*args: Any, **kwargs: Any) -> Tree:
        tree = start_tree(*args, **kwargs)
        while not tree.wait(0.01):
            tree.directory.deliver("runtime/publisher/", object())
            assert time.process_time() < 60
        return tree

    put: Callable[[object, str, object], None] = setattr
    put(runtime, "start_tree", start_and_poison)
    runpy.run_path(sys.argv[0], run_name="__main__")
