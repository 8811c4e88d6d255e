"""`python -m bench [--only NAME]… [--quick] [--json FILE]`: measure, and print one table."""

import importlib
import os
import tempfile
import time
import traceback
from pathlib import Path

import click
import msgspec

from bench.table import Row, show

MEASURES = {
    "transitions": "durable transitions through the journal",
    "bus": "actor to actor over the bus",
    "request": "an outside client's request",
    "feed": "facts to subscribers",
    "crash": "an actor's crash to its next message",
    "refs": "a ref's rename to the fact in a subscriber's hands",
    "kill": "a killed program to its fact",
    "adopt": "kill -9 of the runtime to all adopted",
    "idle": "a large company that waits",
    "output": "terminal output, and a commit beside noise",
    "growth": "cost of a fact and of a start as the journal grows",
    "compact": "the disk space that compact gives back",
    "tasks": "CPU, threads and memory as a plan grows",
    "prepare": "300 real launches in 100 plans",
    "waiting": "a thousand waiting terminals",
    "large": "a repository of 100,000 files",
    "web": "HTTP, event streams, and an idle web door",
    "gateway": "what the model gateway adds to an answer",
    "sandbox": "what the sandbox adds to a start and to a run",
    "enter": "a key to its echo, and watched terminals",
    "start": "the command line and the runtime's start",
    "merge": "twenty branches",
}


@click.command()
@click.option("--only", "names", multiple=True, type=click.Choice(list(MEASURES)))
@click.option("--quick", is_flag=True, help="Fewer and smaller rounds: a look, not a result.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the rows there too.")
def main(names: tuple[str, ...], quick: bool, file: Path | None) -> None:
    """Measure Callboard against the parts it stands on."""
    rows: list[Row] = []
    began = time.monotonic()
    failed = []
    measures = {name: importlib.import_module(f"bench.{name}") for name in names or MEASURES}
    for name, measure in measures.items():
        click.echo(f"{name}: {MEASURES[name]} …", err=True)
        with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as directory:
            try:
                rows += measure.run(Path(directory), quick)
            except Exception:  # noqa: BLE001 - the other measures are worth having
                traceback.print_exc()
                failed.append(name)
    show(rows)
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    click.echo(f"{time.monotonic() - began:.0f} s; {os.cpu_count()} cores; load {load}")
    if file is not None:
        file.write_bytes(msgspec.json.format(msgspec.json.encode(rows)))
    if failed:
        raise click.ClickException(f"could not be measured: {', '.join(failed)}")


if __name__ == "__main__":
    main()
