"""The build: places the program below the one package that is installed.

`actors`, `bus`, `store` and `run` are names that an environment may have from elsewhere, so a
wheel holds them in `callboard/app/`, which only Callboard's own processes have on their path.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

PARTS = ("actors", "bus", "store", "examples")


class Build(build_py):
    """Copies the program into the built package; an editable installation uses the clone."""

    def run(self) -> None:
        """Build the package, then copy the parts into it."""
        super().run()
        if self.editable_mode:
            return
        app = Path(self.build_lib) / "callboard" / "app"
        shutil.rmtree(app, ignore_errors=True)
        leave = shutil.ignore_patterns("__pycache__", "*.pyc", "node_modules")
        for part in PARTS:
            shutil.copytree(part, app / part, ignore=leave)
        shutil.copy("run.py", app)


setup(cmdclass={"build_py": Build})
