"""The command line, `tweenbridge`: its commands and options. What they do is in commands/, imported when asked for."""

from __future__ import annotations

import io
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from tweenbridge.discovery import data_dir
from tweenbridge.version import __version__

from .cli_build import building
from .cli_cluster import cluster
from .cli_keys import keys
from .cli_models import models
from .cli_pictures import pictures
from .commands.console import plain_errors

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="In-betweens for animators and editors: keyframes in, frames out.",
    epilog="`tweenbridge COMMAND --help` explains a command.",
)

app.add_typer(building, name="build")
app.add_typer(models, name="models")
app.add_typer(keys, name="keys")
app.add_typer(cluster, name="cluster")
app.add_typer(pictures)


class Switch(str, Enum):
    """On or off, as an option's value."""

    ON = "on"
    OFF = "off"


Json = Annotated[bool, typer.Option("--json", help="Print JSON, for other programs.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"tweenbridge {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    pass


@app.command()
@plain_errors
def interpolate(
    keyframes: Annotated[
        list[str],
        typer.Argument(
            help="Two or more images in time order. A frame of a film is written clip.mp4@36 or clip.mp4@00:01.5."
        ),
    ],
    count: Annotated[
        int | None, typer.Option("--count", "-n", help="In-betweens in every gap.", show_default="7")
    ] = None,
    timing: Annotated[
        str, typer.Option(help="Spacing: linear, ease-in (slow start), ease-out (slow end) or ease-in-out.")
    ] = "linear",
    chart: Annotated[
        str | None, typer.Option(help="Timing chart: the time of each drawing between 0 and 1, like 0.1,0.5,0.9.")
    ] = None,
    hold: Annotated[int, typer.Option(help="Frames each drawing is shown: 1 on ones, 2 on twos.")] = 1,
    loop: Annotated[bool, typer.Option("--loop", help="Also fill from the last keyframe back to the first.")] = False,
    engine: Annotated[str, typer.Option(help="Engine that makes the in-betweens.")] = "flow",
    profile: Annotated[
        str,
        typer.Option(help="The engine's profile; `tweenbridge engines` lists them.", show_default="the engine's first"),
    ] = "",
    model: Annotated[
        str | None,
        typer.Option(help="The engine's model: a name of `tweenbridge models list`, a folder, or a .safetensors file."),
    ] = None,
    prompt: Annotated[str | None, typer.Option(help="What the shot shows, for engines that take it in words.")] = None,
    seed: Annotated[int | None, typer.Option(help="For engines that draw at random.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any engine setting (`tweenbridge engines`). Repeatable."),
    ] = None,
    output_format: Annotated[
        str,
        typer.Option(
            "--format",
            help="png8, png16, tiff8, tiff16, tiff32, exr16, exr32, jpeg, or png, tiff, exr with the keyframes' depth.",
            show_default="as the keyframes",
        ),
    ] = "",
    layer: Annotated[
        str,
        typer.Option(help="Layer of OpenEXR keyframes, like ViewLayer.Combined.", show_default="the beauty"),
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder for the in-betweens.", show_default="FIRST-to-LAST, here"),
    ] = None,
    video: Annotated[
        Path | None, typer.Option(help="Also make a film (MP4, or MKV without loss) with the keyframes in it.")
    ] = None,
    fps: Annotated[float, typer.Option(help="Frames each second of the film.")] = 24.0,
    sheet: Annotated[Path | None, typer.Option(help="Also make a contact sheet (PNG or JPEG).")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write over files of other jobs.")] = False,
) -> None:
    """Make in-betweens. Starts the server when it is absent; the same command again goes on where it was stopped."""
    from .commands import options
    from .commands.interpolate import Options, report, run

    chosen = Options(
        keyframes=tuple(keyframes),
        timing=options.timing(count, timing, chart, hold, loop),
        engine=engine,
        profile=profile,
        settings=options.engine_settings(
            set_ or [], {"model": model, "prompt": prompt, "seed": seed}, options.text_settings(engine)
        ),
        output=options.output_format(output_format),
        folder=out,
        video=video,
        sheet=sheet,
        fps=fps,
        overwrite=overwrite,
        layer=layer,
    )
    report(run(chosen, data_dir()), chosen)


@app.command()
@plain_errors
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write to.")] = Path("tweenbridge-demo"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write over files that are there.")] = False,
) -> None:
    """Draw three keyframes, make the in-betweens, and show them as frames, a film and a contact sheet."""
    from .demo import run

    run(out, data_dir(), overwrite)


@app.command()
@plain_errors
def serve(
    listen: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="Where to listen, like tcp://0.0.0.0:47800; beyond this machine for clients with a key.",
            show_default="this machine, any free port, or as set",
        ),
    ] = "",
) -> None:
    """Run the server here until Ctrl-C. Other commands start it by themselves."""
    from .commands.server import serve as run

    raise typer.Exit(run(data_dir(), listen))


@app.command()
@plain_errors
def use(
    key_file: Annotated[
        Path | None, typer.Argument(help="A key file of another machine's server (`tweenbridge keys export`).")
    ] = None,
    own: Annotated[bool, typer.Option("--own", help="Use this machine's own server again.")] = False,
) -> None:
    """Choose the server that this machine's command line, tray, scripts and plugins use."""
    from .commands.keys import use as run

    run(data_dir(), key_file, own)


@app.command()
@plain_errors
def stop() -> None:
    """End the server. Running jobs go on at its next start."""
    from .commands.server import stop as run

    run(data_dir())


@app.command()
@plain_errors
def status(as_json: Json = False) -> None:
    """Say whether the server runs, and how it is. Exit status 0: it runs, 3: it does not."""
    from .commands.server import status as run

    raise typer.Exit(0 if run(data_dir(), as_json) else 3)


@app.command()
@plain_errors
def jobs(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="How many, newest first.")] = 20,
    as_json: Json = False,
) -> None:
    """List the newest jobs."""
    from .commands.jobs import show

    show(data_dir(), limit, as_json)


@app.command()
@plain_errors
def engines(as_json: Json = False) -> None:
    """List the engines, with their profiles and settings."""
    from .commands.engines import show

    show(data_dir(), as_json)


@app.command()
@plain_errors
def cancel(
    job: Annotated[list[str], typer.Argument(help="Job ids, or how they begin, as `tweenbridge jobs` shows them.")],
) -> None:
    """Cancel jobs. Frames that are finished are kept."""
    from .commands.jobs import cancel as run

    run(data_dir(), job)


@app.command()
@plain_errors
def config(
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Set a setting. Repeatable.")
    ] = None,
    unset: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Go back to a setting's default. Repeatable.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the server's settings, or change them."""
    from .commands.config import change, show

    if set_ or unset:
        change(data_dir(), set_ or (), unset or ())
    else:
        show(data_dir(), as_json)


@app.command()
@plain_errors
def logs(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as the log grows, until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many lines of the past.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print the lines as they are stored (JSON).")] = False,
) -> None:
    """Show the server's log."""
    from .commands.logs import show

    show(data_dir(), lines, follow, as_json)


@app.command()
@plain_errors
def doctor(
    as_json: Json = False,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write it to a file, with nothing private in it.")
    ] = None,
) -> None:
    """Check this installation, line by line, and say what to do about what is wrong."""
    from .diagnostics.doctor import run

    raise typer.Exit(0 if run(data_dir(), as_json, report) else 1)


@app.command()
@plain_errors
def resolve(
    edit: Annotated[bool, typer.Option("--edit", help="Begin with the in-betweens under the playhead.")] = False,
    selfcheck: Annotated[
        bool, typer.Option("--selfcheck", help="Try everything on a timeline of its own, and report.")
    ] = False,
) -> None:
    """Make in-betweens on the timeline of the running DaVinci Resolve Studio."""
    from .commands.resolve import run

    raise typer.Exit(run(edit, selfcheck))


@app.command()
@plain_errors
def install(
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Only this editor, as --dry-run lists it, or login, menu. Repeatable."),
    ] = None,
    skip: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Leave this editor, login or menu as it is. Repeatable.")
    ] = None,
    autostart: Annotated[
        Switch | None, typer.Option(help="Only turn start at login on or off.", show_default=False)
    ] = None,
    blender: Annotated[
        list[Path] | None, typer.Option(metavar="FOLDER", help="A Blender in an unusual place. Repeatable.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Also what is there already, to repair it.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Put Tweenbridge into the editors on this computer. Run again, it repairs, finishes and updates."""
    from .commands.install import Wanted
    from .commands.install import install as run

    on = None if autostart is None else autostart is Switch.ON
    wanted = Wanted(tuple(only or ()), tuple(skip or ()), on, tuple(blender or ()), again)
    run(data_dir(), wanted, dry_run=dry_run, yes=yes, as_json=as_json)


@app.command()
@plain_errors
def uninstall(
    models: Annotated[bool, typer.Option("--models", help="Also delete the models.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be removed.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Take away what `install` put on this computer. Settings and jobs stay, and models unless told otherwise."""
    from .commands.install import uninstall as run

    run(data_dir(), models=models, dry_run=dry_run, yes=yes)


def main() -> None:
    """The entry point of `tweenbridge` and of `python -m tweenbridge_server`."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file name that the terminal cannot show must not end a command.
        sys.stdout.reconfigure(errors="backslashreplace")
    app(prog_name="tweenbridge")
