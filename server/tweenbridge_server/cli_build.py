"""`tweenbridge build`: its commands and options. What they do is in commands/build.py, imported when asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .commands.console import plain_errors

building = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Build what is published.")

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder to write to.")]


@building.command("blender")
@plain_errors
def build_blender(
    out: Out = Path("dist"),
    platform: Annotated[
        list[str] | None,
        typer.Option(metavar="PLATFORM", help="Only for this one, like linux-x64. Repeatable.", show_default="all"),
    ] = None,
    split: Annotated[bool, typer.Option("--split", help="One smaller zip for each platform.")] = False,
) -> None:
    """Build the Blender extension: a zip that Blender 4.2 and later install from disk."""
    from .commands.build import blender

    blender(out, platform or (), split)


@building.command("resolve")
@plain_errors
def build_resolve(
    out: Out = Path("dist"),
    platform: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PLATFORM", help="Also for others, like windows-x64. Repeatable.", show_default="this one"
        ),
    ] = None,
    folder: Annotated[bool, typer.Option("--folder", help="Write a folder instead of a zip.")] = False,
) -> None:
    """Build the script for DaVinci Resolve with all it needs, for every Python that Resolve may load."""
    from .commands.build import resolve

    resolve(out, platform or (), folder)


@building.command("wheel")
@plain_errors
def build_wheel(out: Out = Path("dist")) -> None:
    """Build the Python package: a wheel, and the source archive."""
    from .commands.build import package

    package(out)


@building.command("offline")
@plain_errors
def build_offline(
    out: Out = Path("offline"),
    extra: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Also for this part, like dreammover. Repeatable.")
    ] = None,
) -> None:
    """Gather all that installing needs without a network, on computers like this one with this Python."""
    from .commands.build import offline

    offline(out, extra or ())


@building.command("release")
@plain_errors
def build_release(out: Out = Path("dist")) -> None:
    """Build everything that is published, with checksums."""
    from .commands.build import everything

    everything(out)
