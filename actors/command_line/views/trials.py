"""Show what became of a CLI that was tried."""

from bus.trials import Trial


def shown(trial: Trial) -> str:
    """Return a line for each thing that was tried, with the screen where it failed."""
    version = trial.version or "of unknown version"
    verified = "" if trial.verified else ", with which the profile was not verified"
    lines = [f"{trial.cli} {version}{verified}"]
    for check in trial.checks:
        mark = {"ok": "ok", "failed": "FAILED"}.get(check.state, "-")
        lines.append(f"{mark:<7} {check.what:<12} {check.text}")
        lines += [f"        | {row}" for row in check.screen.splitlines() if row.strip()]
    lines.append("the profile holds" if trial.ok else "the profile does not hold")
    return "\n".join(lines)
