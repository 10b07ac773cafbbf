"""The commands `tweenbridge keys ...`. What they do is in commands/keys.py, imported when asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from tweenbridge.discovery import data_dir

from .commands.console import plain_errors

keys = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Let clients of other machines in, or shut them out."
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for other programs.")]
Name = Annotated[str, typer.Argument(help="The key's name: who or which machine has it.")]


@keys.command()
@plain_errors
def create(
    name: Name,
    admin: Annotated[
        bool, typer.Option("--admin", help="Its holder sees and changes everybody's jobs, the models and the server.")
    ] = False,
) -> None:
    """Make a key. It opens the server at once, also while it runs."""
    from .commands.keys import create as run

    run(data_dir(), name, admin)


@keys.command("list")
@plain_errors
def list_keys(as_json: Json = False) -> None:
    """List the keys."""
    from .commands.keys import show

    show(data_dir(), as_json)


@keys.command()
@plain_errors
def revoke(name: Name) -> None:
    """Take a key away. Its sessions end within a second; its jobs stay."""
    from .commands.keys import revoke as run

    run(data_dir(), name)


@keys.command()
@plain_errors
def export(
    name: Name,
    file: Annotated[Path, typer.Argument(help="The key file to write. Whoever has it has the key.")],
    at: Annotated[
        str, typer.Option(metavar="HOST[:PORT]", help="How the client reaches this machine.", show_default="its name")
    ] = "",
) -> None:
    """Write a key file for the client's machine."""
    from .commands.keys import export as run

    run(data_dir(), name, file, at)
