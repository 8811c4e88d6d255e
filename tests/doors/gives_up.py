"""A runtime whose root gives up: `python gives_up.py [FILE] PYTHON SCRIPT WORDS…`.

Its publisher gets messages that nobody has a handler for, more than the root forgives: once FILE
is there; without one between the start of the tree and that of the workflows.
"""

import os
import runpy
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    words = sys.argv[1:]
    file = Path(words.pop(0)) if not os.access(words[0], os.X_OK) else None
    sys.argv = words[1:]
    sys.path.insert(0, str(Path(sys.argv[0]).parent))
    from actors.runtime import runtime
    from actors.supervision.tree import Tree, start_tree

    def start_and_poison(*args: Any, **kwargs: Any) -> Tree:
        tree = start_tree(*args, **kwargs)
        if file is None:
            poison(tree)
        else:
            threading.Thread(target=poison, args=[tree], daemon=True).start()
        return tree

    def poison(tree: Tree) -> None:
        while file is not None and not file.exists():
            time.sleep(0.01)
        while not tree.wait(0.01):
            tree.directory.deliver("runtime/publisher/", object())

    put: Callable[[object, str, object], None] = setattr
    put(runtime, "start_tree", start_and_poison)
    runpy.run_path(sys.argv[0], run_name="__main__")
