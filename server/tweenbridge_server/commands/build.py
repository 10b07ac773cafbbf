"""`tweenbridge build`: what the editors install, from the sources of a checkout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import tweenbridge_installer
import typer
from tweenbridge_installer import blender_build, wheels
from tweenbridge_installer.errors import InstallError

from .console import say, short_path, size


def blender(out: Path, platforms: Sequence[str], split: bool) -> None:
    """Build the Blender extension, have Blender check it where there is one, and print its files."""
    root = Path(tweenbridge_installer.__file__).resolve().parents[2]
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
