"""`tweenbridge build`: what the editors install, from the sources of a checkout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import tweenbridge_installer
import typer
from tweenbridge_installer import blender_build, package_build, release, resolve_build, wheels
from tweenbridge_installer import offline as offline_build
from tweenbridge_installer.errors import InstallError

from .console import plural, say, short_path, size

_ROOT = Path(tweenbridge_installer.__file__).resolve().parents[2]


def blender(out: Path, platforms: Sequence[str], split: bool) -> None:
    """Build the Blender extension, have Blender check it where there is one, and print its files."""
    try:
        built = blender_build.build(_ROOT, out, say, platforms=platforms or wheels.PLATFORMS, split=split)
        validator = blender_build.validator(_ROOT)
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
    chosen = platforms or (resolve_build.this_platform(),)
    for bundle in _built(lambda: resolve_build.build(_ROOT, out, say, platforms=chosen, folder=folder)):
        files = [bundle] if bundle.is_file() else [path for path in bundle.rglob("*") if path.is_file()]
        print(f"{short_path(bundle)}  {size(sum(path.stat().st_size for path in files))}")


def package(out: Path) -> None:
    """Build the wheel and the source archive, and print them."""
    _print_files(lambda: package_build.build(_ROOT, out, say))


def everything(out: Path) -> None:
    """Build all that is published, with its checksums, and print the files."""
    _print_files(lambda: release.build(_ROOT, out, say))


def _print_files(build: Callable[[], Sequence[Path]]) -> None:
    for path in _built(build):
        print(f"{short_path(path)}  {size(path.stat().st_size)}")


def offline(out: Path, extras: Sequence[str]) -> None:
    """Gather all that installing needs on computers like this one, and say how to use it."""
    files = _built(lambda: offline_build.build(_ROOT, out, ("server", *extras), say))
    total = sum(path.stat().st_size for path in files)
    print(f"{short_path(out)}: {plural(len(files), 'wheel')}, {size(total)}")
    say(f"To install from it: {offline_build.VARIABLE}={out.resolve()} python3 bootstrap.py install")


def _built(build: Callable[[], Sequence[Path]]) -> Sequence[Path]:
    try:
        return build()
    except InstallError as error:
        say(f"Error: {error}")
        raise typer.Exit(1) from None
