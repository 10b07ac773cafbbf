"""A current Blender with a window, on a machine without a screen: Debian's unstable has it, in a folder of its own.

Made once, in `.blender/window`: 1.7 GB, about a minute. It needs root and debootstrap; where these are not to be had,
the reason is a sentence.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hosts import ROOT

PLACE = ROOT / ".blender" / "window"
SUITE = "sid"
PACKAGES = ("blender", "python3-cattr", "python3-requests", "xvfb", "xauth", "libgl1-mesa-dri", "imagemagick")
PATIENCE = 500.0
"""Seconds that making it may take."""


def obstacle() -> str:
    """Why there can be no such Blender here; "" where there can."""
    if os.name != "posix" or os.geteuid() != 0:
        return "A Blender with a window is made with root's rights, which these tests do not have."
    if shutil.which("debootstrap") is None and not _installed("debootstrap"):
        return "A Blender with a window is made with debootstrap, which cannot be had here."
    return ""


def _installed(package: str) -> bool:
    if shutil.which("apt-get") is None:
        return False
    done = subprocess.run(["apt-get", "-qq", "install", "-y", package], capture_output=True, check=False)
    return done.returncode == 0


def ensure() -> str:
    """Make it where it is not there yet; returns why that was not possible, or ""."""
    if _is_whole():
        return ""
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.parent.mkdir(exist_ok=True)
    commands: list[list[str]] = [
        ["debootstrap", "--variant=minbase", "--include=ca-certificates", SUITE, str(PLACE)],
        ["chroot", str(PLACE), "apt-get", "-qq", "update"],
        ["chroot", str(PLACE), "apt-get", "-qq", "install", "-y", "--no-install-recommends", *PACKAGES],
    ]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for number, command in enumerate(commands):
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
            )
        except subprocess.TimeoutExpired:
            return f"Debian's packages took longer than {PATIENCE:.0f} s."
        if done.returncode != 0:
            return f"Debian's packages cannot be had here: {(done.stderr or done.stdout).strip()[-200:]}"
        if number == 0:
            _as_here(PLACE)
    (PLACE / "made").touch()
    return ""


def _is_whole() -> bool:
    return (PLACE / "made").is_file() and (PLACE / "usr/bin/blender").exists()


def _as_here(root: Path) -> None:
    """Look for packages as this machine does."""
    shutil.copy("/etc/resolv.conf", root / "etc")
    for file in Path("/etc/apt/apt.conf.d").glob("*"):
        shutil.copy(file, root / "etc/apt/apt.conf.d")


@contextlib.contextmanager
def shared(*folders: Path) -> Iterator[None]:
    """Folders that are seen inside at the same path, for a while."""
    bound: list[Path] = []
    try:
        for folder in (Path("/proc"), Path("/dev"), *folders):
            inside = PLACE / folder.relative_to("/")
            inside.mkdir(parents=True, exist_ok=True)
            subprocess.run(["mount", "--bind", str(folder), str(inside)], check=True)
            bound.append(inside)
        yield
    finally:
        for inside in reversed(bound):
            subprocess.run(["umount", "-l", str(inside)], check=False)


def run(
    script: Path, arguments: Sequence[str], folders: Sequence[Path], environment: Mapping[str, str], patience: float
) -> subprocess.CompletedProcess[str]:
    """Run a script in a window of 1600 x 1000 (software OpenGL), in the template for video editing."""
    blender = [
        "blender", "--gpu-backend", "opengl", "--factory-startup", "--app-template", "Video_Editing", "-noaudio",
        "-p", "0", "0", "1600", "1000", "--python", str(script), "--", *arguments,
    ]  # fmt: skip
    inside = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LIBGL_ALWAYS_SOFTWARE": "1", "LANG": "C.UTF-8", **environment}
    command = ["chroot", str(PLACE), "xvfb-run", "-a", "-s", "-screen 0 1600x1000x24 +extension GLX", *blender]
    with shared(*folders):
        return subprocess.run(command, env=inside, capture_output=True, text=True, timeout=patience, check=False)
