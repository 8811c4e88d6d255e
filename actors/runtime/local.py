"""What can be done on this machine and on a home without a runtime that serves.

The one module of the company, beside `runtime/serve.py`, that the command line imports. It
imports the larger parts inside the functions, so that `down` need not load them.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from actors.models.starting import end_unneeded
from actors.platform.owners import end_abandoned
from actors.platform.processes import wait_for_end
from actors.pty.ending import end_all_terminals, running_hosts
from bus.checked import CheckedPlan, Trusted
from bus.errors import malformed
from bus.results import Report, Settings
from bus.trials import Trial

__all__ = [
    "check",
    "end_terminals",
    "examine",
    "fix",
    "installed_clis",
    "mend",
    "providers",
    "running_terminals",
]
__all__ += ["settings", "take_over_providers", "trust", "try_cli", "wait_for_end"]


def check(
    plan: str | dict[str, Any], base: str, again: bool = False, home: Path | None = None
) -> CheckedPlan:
    """Check a plan against this machine, as `plan.check` does; what is trusted stands in `home`.

    Raises `Refused` (422).
    """
    from actors.plan import check as checking

    return checking.shown(checking.check(plan, base, again, home=home), home)


def trust(home: Path, directory: Path, show: bool) -> Trusted:
    """Trust what a directory of a repository makes CLIs start; with `show`, only name it.

    Raises `Refused`: for what is no repository, and for a program of an agent.
    """
    from actors.runtime import trusting

    return trusting.trust(home, directory, show)


def examine(home: Path, online: bool = False, clis: bool = False) -> Report:
    """Look at this machine and at a home, and say what is missing; see `doctor.examine`."""
    from actors.runtime import doctor

    return doctor.examine(home, online, clis)


def fix(home: Path) -> list[str]:
    """Mend what loses nothing, and return what was done; see `fixing.fix`."""
    from actors.runtime import fixing

    return fixing.fix(home)


def mend(home: Path) -> str:
    """Mend the database of a home. Return what was done. Raises `Refused`."""
    from actors.runtime import doctor

    return doctor.mend(home)


def installed_clis() -> list[str]:
    """The profiles whose program is installed, in the order of preference."""
    from actors.clis import lookup

    profiles = lookup.profiles()
    return [name for name, p in profiles.items() if p.command and shutil.which(p.command[0])]


def try_cli(name: str, plan: Mapping[str, str] | None, ask: bool) -> Trial:
    """Run a CLI once and say what of its profile holds; see `canary.try_named`.

    Raises `Refused` (422).
    """
    from actors.runtime import canary

    return canary.try_named(name, plan, ask)


def settings(home: Path, plan: str | None = None) -> Settings:
    """What counts for a plan on this machine, and from which file. Raises `Refused` (422)."""
    from actors.plan import config

    return config.settings(home, plan)


def running_terminals(home: Path) -> list[str]:
    """The directories of the terminal hosts of a home that are alive."""
    return [str(found.directory) for found in running_hosts(home)]


def end_terminals(home: Path) -> None:
    """End every program of a home that no runtime serves, and what it left running."""
    end_all_terminals(home)
    end_unneeded(home)
    end_abandoned(str(home))


def providers() -> list[dict[str, Any]]:
    """The user's providers, without their keys. Raises `Refused`."""
    from actors.clis import lookup
    from actors.clis.providers import ProviderError

    try:
        return lookup.listed(lookup.of_user())
    except ProviderError as error:
        raise malformed("", str(error)) from error


def take_over_providers(source: Path | None) -> dict[str, Any]:
    """Add the providers of cc-switch to the user's. Raises `Refused`."""
    from actors.clis import lookup
    from actors.clis.cc_switch import CcSwitchError
    from actors.clis.providers import ProviderError

    try:
        return lookup.take_over(source)
    except (ProviderError, CcSwitchError) as error:
        raise malformed("", str(error)) from error
