"""Commands on the runtime and on the installation: `serve`, `down`, `demo`, `doctor` and others."""

import os
import sys

import click

from actors.command_line.entry import main
from actors.command_line.options import ask, home, home_option, json_option, show
from actors.command_line.output.exits import DONE, FAILED, USAGE, Stop
from actors.command_line.output.printing import say


@main.command()
@click.option("--idle-exit", type=float, default=0.0, metavar="SECONDS", hidden=True)
@click.option(
    "--http",
    metavar="[HOST:PORT]",
    is_flag=False,
    flag_value="127.0.0.1:0",
    help="Open the web door too; a free port of 127.0.0.1 unless told otherwise.",
)
@click.option("--allow-remote", is_flag=True, help="Let other machines reach it; wants TLS files.")
@click.option("--tls-cert", default="", metavar="FILE", help="The certificate, PEM.")
@click.option("--tls-key", default="", metavar="FILE", help="Its key, PEM.")
@click.option(
    "--tcp",
    metavar="HOST[:PORT]",
    help="Open the TCP door too, for clients with a key; the feed is on the next port.",
)
@click.option(
    "--allow-repo",
    "repositories",
    multiple=True,
    metavar="DIR",
    help="Let plans name it that a browser or a TCP key submits; may be repeated.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="warning",
    help="What is written to standard error; info: each request with its number.",
)
@click.option("--log-json", is_flag=True, help="Write each line of it as a JSON document.")
@home_option
def serve(
    idle_exit: float,
    http: str | None,
    allow_remote: bool,
    tls_cert: str,
    tls_key: str,
    tcp: str | None,
    repositories: tuple[str, ...],
    log_level: str,
    log_json: bool,
) -> None:
    """Run the runtime in the foreground; Ctrl-C leaves the terminals running."""
    import gc

    gc.disable()  # what is imported stays: the collector need not look at it, now or later
    from actors.command_line.client.serving import PrintedReport
    from actors.runtime.listening import BadAddress, open_doors
    from actors.runtime.serve import serve as run
    from bus.logs import Level, LogSettings

    gc.freeze()
    gc.enable()

    try:
        doors = open_doors(
            http,
            tcp,
            repositories,
            allow_remote=allow_remote,
            certificate=tls_cert,
            key=tls_key,
        )
    except BadAddress as error:
        raise Stop(str(error), USAGE) from error
    run(home(), idle_exit, PrintedReport(), doors, LogSettings(Level(log_level), log_json))


@main.command()
@click.option("--terminals", is_flag=True, help="End every terminal too.")
@json_option
@home_option
def down(terminals: bool, as_json: bool) -> None:
    """End the runtime; terminals go on unless told otherwise."""
    from actors.command_line.client.daemon import down as end

    result = end(home(), terminals)
    show(result, as_json, lambda result: result.message)
    sys.exit(DONE if result.ended else FAILED)


@main.command()
@click.option("--dir", "directory", metavar="DIR", help="Where to put the sample; kept.")
@home_option
def demo(directory: str | None) -> None:
    """Run a sample plan, with scripted agents in real terminals."""
    from actors.command_line.demo import run_demo

    sys.exit(run_demo(click.get_current_context().find_root().obj, directory))


@main.command()
@click.option("--mend", is_flag=True, help="Mend a damaged database first.")
@click.option(
    "--fix", is_flag=True, help="Mend first what loses nothing: modes, what a dead runtime left."
)
@click.option("--online", is_flag=True, help="Also try to reach your providers.")
@click.option("--clis", is_flag=True, help="Also run each CLI once, as `cli try` does.")
@json_option
@home_option
def doctor(mend: bool, fix: bool, online: bool, clis: bool, as_json: bool) -> None:
    """Check what is installed, missing and running, and say what helps."""
    from actors.command_line.output.actions import with_help
    from actors.command_line.views import tables
    from actors.runtime import local

    if mend:
        say(local.mend(home()), err=True)
    if fix:
        for line in local.fix(home()) or ["nothing to mend"]:
            say(line, err=True)
    report = with_help(local.examine(home(), online, clis))
    show(report, as_json, tables.doctor)
    sys.exit(DONE if report.ok else FAILED)


@main.group(invoke_without_command=True)
@json_option
@home_option
@click.pass_context
def providers(ctx: click.Context, as_json: bool) -> None:
    """List your providers (~/.config/callboard/providers.toml) and check their keys."""
    if ctx.invoked_subcommand is None:
        from actors.command_line.views import tables
        from actors.runtime import local

        show(local.providers(), as_json, tables.providers)


@providers.command("import")
@click.argument("source", required=False, metavar="[DATABASE]")
@json_option
@home_option
def import_providers(source: str | None, as_json: bool) -> None:
    """Add the providers of cc-switch, which is only read; its keys stay where they are."""
    from pathlib import Path

    from actors.runtime import local

    result = local.take_over_providers(Path(source) if source else None)
    said = "{file}: {} added, {} there already".format
    show(result, as_json, lambda r: said(len(r["added"]), len(r["kept"]), file=r["file"]))


@main.command()
@json_option
@home_option
def compact(as_json: bool) -> None:
    """Remove the facts of finished workflows; `seq` goes on."""
    from bus.requests import EventsCompact

    result = ask(EventsCompact())
    show(result, as_json, lambda r: f"{r.removed} facts of finished workflows removed")


@main.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), required=False)
@home_option
def completion(shell: str | None) -> None:
    """Print the completion script of a shell, for the installed command `callboard`.

    In ~/.bashrc: eval "$(callboard completion bash)"; in ~/.zshrc the same with zsh; for fish:
    callboard completion fish > ~/.config/fish/completions/callboard.fish
    """
    from click.shell_completion import get_completion_class

    name = shell or os.path.basename(os.environ.get("SHELL", "bash"))  # noqa: PTH119
    found = get_completion_class(name)
    if found is None:
        raise Stop(f"no completion for the shell {name!r}; there are bash, zsh, fish", USAGE)
    script = found(main, {}, "callboard", "_CALLBOARD_COMPLETE").source()
    # click's script for fish would cut the help of a command at its first comma
    say(script.replace('string split ","', 'string split -m 1 ","'))


@main.command()
@click.option("--man", is_flag=True, help="As a man page, to be kept as callboard.1.")
@home_option
@click.pass_context
def manual(ctx: click.Context, man: bool) -> None:
    """Show the help of all commands as one text.

    To have it as `man callboard`: callboard manual --man > ~/.local/share/man/man1/callboard.1
    """
    from actors.command_line import manual as made

    if man:
        say(made.page(ctx.find_root()))
    else:
        click.echo_via_pager(made.text(ctx.find_root()))
