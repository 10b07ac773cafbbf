"""The commands `tweenbridge models ...`. What they do is in commands/models.py, imported when asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from tweenbridge.discovery import data_dir

from .commands.console import plain_errors

models = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="See, get, check, import and remove models for engines."
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for other programs.")]
Ids = Annotated[list[str], typer.Argument(metavar="MODEL...", help="Names, as `tweenbridge models list` shows them.")]


@models.command("list")
@plain_errors
def list_models(as_json: Json = False) -> None:
    """List the models that are here and those that can be had."""
    from .commands.models import show

    show(data_dir(), as_json)


@models.command()
@plain_errors
def get(
    names: Ids,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="You have read the models' licences and accept them.")
    ] = False,
) -> None:
    """Download models. Ctrl-C pauses; the same command again goes on."""
    from .commands.models import get as run

    run(data_dir(), names, accept_licence)


@models.command()
@plain_errors
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL...]", help="Names; all that are here without.")
    ] = None,
) -> None:
    """Read all files of models and compare them with what they should be."""
    from .commands.models import verify as run

    run(data_dir(), names or [])


@models.command()
@plain_errors
def repair(names: Ids) -> None:
    """Download again what is damaged or missing of models."""
    from .commands.models import repair as run

    run(data_dir(), names)


@models.command("import")
@plain_errors
def import_models(
    paths: Annotated[list[Path], typer.Argument(help="Diffusers folders or .safetensors files.")],
    title: Annotated[str, typer.Option(help="What to call it.", show_default="its file's name")] = "",
) -> None:
    """Use models where they lie; nothing is copied."""
    from .commands.models import import_models as run

    run(data_dir(), paths, title)


@models.command()
@plain_errors
def scan(
    folder: Annotated[
        Path | None, typer.Argument(help="A folder.", show_default="where other programs keep their models")
    ] = None,
    as_json: Json = False,
) -> None:
    """Look for models that could be imported, such as another program's."""
    from .commands.models import scan as run

    run(data_dir(), folder, as_json)


@models.command()
@plain_errors
def remove(names: Ids) -> None:
    """Delete downloaded models. Imported ones are only taken off the list; their files stay."""
    from .commands.models import remove as run

    run(data_dir(), names)


@models.command()
@plain_errors
def default(name: Annotated[str, typer.Argument(metavar="MODEL")]) -> None:
    """Take a model from now on where none is named."""
    from .commands.models import prefer as run

    run(data_dir(), name)


@models.command()
@plain_errors
def unload() -> None:
    """Have workers that have nothing to do give their memory back."""
    from .commands.models import unload as run

    run(data_dir())
