"""A machine on which bubblewrap is not installed, for tests of what takes its place."""

import os
from pathlib import Path


def path_without(program: str, at: Path) -> str:
    """The `PATH` as it is, without this program; what lies beside it is linked below `at`."""
    kept = []
    for number, place in enumerate(os.environ["PATH"].split(":")):
        if not Path(place, program).exists():
            kept.append(place)
            continue
        stand_in = at / str(number)
        stand_in.mkdir(parents=True)
        for each in Path(place).iterdir():
            if each.name != program:
                (stand_in / each.name).symlink_to(each)
        kept.append(str(stand_in))
    return ":".join(kept)
