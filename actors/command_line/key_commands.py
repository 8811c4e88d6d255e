"""Commands on the keys of the TCP door: `keys`, and `make`, `limit` and `revoke` below it."""

from typing import TYPE_CHECKING

import click

from actors.command_line.entry import main
from actors.command_line.options import home, home_option, json_option, show
from actors.command_line.output.exits import USAGE, Stop
from actors.command_line.output.program import command

if TYPE_CHECKING:
    from pathlib import Path

    from bus.keys import ClientKey, Key

_RIGHTS = ("feed", "read", "use", "own")
_RIGHT = click.option(
    "--right",
    type=click.Choice(_RIGHTS),
    default="use",
    show_default=True,
    help="feed: the facts; read: also ask; use: also steer, and plans without commands; own: all.",
)
_READ_ONLY = click.option("--read-only", is_flag=True, help="The same as --right read.")


@main.group(invoke_without_command=True)
@json_option
@home_option
@click.pass_context
def keys(ctx: click.Context, as_json: bool) -> None:
    """List the keys with which programs may connect over TCP (`serve --tcp`)."""
    if ctx.invoked_subcommand is None:
        from bus import keys as stored

        show(stored.known(home()), as_json, _table)


@keys.command()
@click.argument("name")
@_RIGHT
@_READ_ONLY
@click.option("--out", metavar="FILE", help="Where to put the client's file; else NAME.key here.")
@click.option("--public", metavar="KEY", help="The client's own public key; no secret is made.")
@json_option
@home_option
def make(
    name: str, right: str, read_only: bool, out: str | None, public: str | None, as_json: bool
) -> None:
    """Make a key: let a program connect, and write the file that it is to be handed."""
    from pathlib import Path

    from bus import keys as stored
    from bus.peer import Right

    if out and public:
        raise Stop("--out and --public exclude each other: there is no secret to write", USAGE)
    chosen = Right.READ if read_only else Right(right)
    place = Path(out or f"{name}.key").absolute()
    try:
        pair = None if public else stored.new_pair()
        key = stored.add(home(), name, public or (pair.public if pair else ""), chosen)
        if pair is not None:
            try:
                stored.write_client(place, _client_key(home(), key, pair.secret))
            except (stored.BadKey, OSError):
                stored.revoke(home(), name)
                raise
    except stored.BadKey as error:
        raise Stop(str(error), USAGE) from error
    show(key, as_json, lambda key: _made(key, place if pair else None))


@keys.command()
@click.argument("name")
@_RIGHT
@_READ_ONLY
@json_option
@home_option
def limit(name: str, right: str, read_only: bool, as_json: bool) -> None:
    """Change what a key may do; its connections begin anew."""
    from bus import keys as stored
    from bus.peer import Right

    try:
        key = stored.limit(home(), name, Right.READ if read_only else Right(right))
    except stored.BadKey as error:
        raise Stop(str(error), USAGE) from error
    show(key, as_json, lambda key: f"{key.name} has the right {key.right} now")


@keys.command()
@click.argument("name")
@home_option
def revoke(name: str) -> None:
    """Revoke a key: its open connections end, and it is refused from now on."""
    from actors.command_line.output.printing import say
    from bus import keys as stored

    try:
        stored.revoke(home(), name)
    except stored.BadKey as error:
        raise Stop(str(error), USAGE) from error
    say(f"{name} is revoked")


def _client_key(home: "Path", key: "Key", secret: str) -> "ClientKey":
    """Return the content of a client's file; the endpoints are those of the runtime that serves."""
    from bus import connection
    from bus import keys as stored

    own = stored.server_keys(home)
    try:
        place = connection.read(home).tcp
    except connection.NoRuntime:
        place = None
    return stored.ClientKey(
        version=stored.VERSION,
        name=key.name,
        public=key.public,
        secret=secret,
        server_requests=own.requests.public,
        server_feed=own.feed.public,
        requests=place.requests if place else "",
        feed=place.feed if place else "",
    )


def _made(key: "Key", place: "Path | None") -> str:
    written = f"; hand {place} to the program: it holds the secret" if place else ""
    return f"{key.name} has the right {key.right}{written}"


def _table(found: "list[Key]") -> str:
    if not found:
        return f"no key yet: {command('keys', 'make', 'NAME')}"
    return "\n".join(f"{key.name:<20} {key.right:<5} made {key.made[:19]}Z" for key in found)
