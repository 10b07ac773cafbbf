"""Commands of the tray app, and those that it and people use on stills and films. What they do is in commands/."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .commands.console import plain_errors

pictures = typer.Typer(rich_markup_mode=None)

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Write over files that are there.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for other programs.")]


@pictures.command()
@plain_errors
def tray(
    hidden: Annotated[bool, typer.Option("--hidden", help="Only show the icon, where the desktop has a tray.")] = False,
) -> None:
    """Open the tray app: jobs, models, and a place to drop stills on. It starts the server."""
    from .commands.tray import run

    raise typer.Exit(run(["--hidden"] if hidden else []))


@pictures.command()
@plain_errors
def confirm() -> None:
    """Ask in a window how in-betweens are to be made: JSON comes on standard input and goes to standard output."""
    from .commands.tray import run

    raise typer.Exit(run(["confirm"]))


@pictures.command()
@plain_errors
def stills(
    film: Annotated[Path, typer.Argument(help="A film.")],
    at: Annotated[
        list[str] | None, typer.Option(metavar="WHERE", help="A frame, like 36, or a time, like 00:01.5. Repeatable.")
    ] = None,
    spread: Annotated[int, typer.Option(min=0, max=100, help="So many frames, evenly over the film.")] = 0,
    side: Annotated[
        int, typer.Option(min=0, max=16384, help="Pixels of the longer side.", show_default="the film's")
    ] = 0,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write to.")] = Path("stills"),
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write frames of a film as PNG files."""
    from .commands.films import stills as run

    run(film, at or (), spread, side, out, as_json, overwrite)


@pictures.command()
@plain_errors
def thumbnails(
    pictures: Annotated[list[Path], typer.Argument(help="Stills: PNG, TIFF, OpenEXR, JPEG.")],
    side: Annotated[int, typer.Option(min=16, max=4096, help="Pixels of the longer side.")] = 256,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write to.")] = Path("thumbnails"),
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write small PNG files of stills, as people look at them."""
    from .commands.films import thumbnails as run

    run(pictures, side, out, as_json, overwrite)


@pictures.command()
@plain_errors
def film(
    pictures: Annotated[list[Path], typer.Argument(help="Stills in the order in which they are shown.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The film (MP4).")],
    fps: Annotated[float, typer.Option(help="Frames each second.")] = 24.0,
    overwrite: Overwrite = False,
) -> None:
    """Make a film of stills."""
    from .commands.films import film as run

    run(pictures, out, fps, overwrite)
