"""`tweenbridge build`: what the editors install, from the sources of a checkout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import tweenbridge_installer
import typer
from tweenbridge_installer import blender_build, resolve_build, wheels
from tweenbridge_installer.errors import InstallError

from .console import say, short_path, size


def _root() -> Path:
    """The checkout that this runs in, where it is one."""
    return Path(tweenbridge_installer.__file__).resolve().parents[2]


def blender(out: Path, platforms: Sequence[str], split: bool) -> None:
    """Build the Blender extension, have Blender check it where there is one, and print its files."""
    root = _root()
    try:
        built = blender_build.build(root, out, say, platforms=platforms or wheels.PLATFORMS, split=split)
        validator = blender_build.validator(root)
        if validator is not None:
            for extension in built:
                blender_build.validate(extension, validator)
    except InstallError as error:
        say(f"Error: {error}")
        raise typer.Exit(1) from None
    for extension in built:
        print(f"{short_path(extension)}  {size(extension.stat().st_size)}")
    say("Blender's own check passed." if validator else "There is no Blender 4.2 or later here to check it with.")


def resolve(out: Path, platforms: Sequence[str], folder: bool) -> None:
    """Build what DaVinci Resolve's script consists of, and print its files or folders."""
    try:
        built = resolve_build.build(
            _root(), out, say, platforms=platforms or (resolve_build.this_platform(),), folder=folder
        )
    except InstallError as error:
        say(f"Error: {error}")
        raise typer.Exit(1) from None
    for bundle in built:
        files = [bundle] if bundle.is_file() else [path for path in bundle.rglob("*") if path.is_file()]
        print(f"{short_path(bundle)}  {size(sum(path.stat().st_size for path in files))}")
