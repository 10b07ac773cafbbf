"""The commands `tweenbridge cluster ...`. What they do is in commands/cluster.py, imported when asked for."""

from __future__ import annotations

from typing import Annotated

import typer
from tweenbridge.discovery import data_dir

from .commands.console import plain_errors

cluster = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Several machines that make in-betweens together."
)


@cluster.callback()
def _root() -> None:
    pass


@cluster.command()
@plain_errors
def status(as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for other programs.")] = False) -> None:
    """Show the nodes, what is on them, and what they do."""
    from .commands.cluster import status as run

    run(data_dir(), as_json)
