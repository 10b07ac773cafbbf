"""The doctor's checks of what is around the server: the computer, the editors' plugins, models, permissions."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from tweenbridge.protocol.errors import TweenbridgeError
from tweenbridge.version import __version__

from ..commands.console import plural
from .checks import Check, Verdict

LOW_MEMORY = 1.5e9
"""Bytes available below which large keyframes may not fit."""
_INSTALL = "Run `tweenbridge install`."


def memory() -> Check:
    """How much memory there is, and how much of it is free."""
    import psutil

    found = psutil.virtual_memory()
    line = f"{found.total / 1e9:.1f} GB, {found.available / 1e9:.1f} GB of it available"
    if found.available < LOW_MEMORY:
        return Check("Memory", Verdict.NOTE, line, "Close other programs before working on large keyframes.")
    return Check("Memory", Verdict.OK, line)


def driver() -> Check:
    """The graphics driver, as far as the diffusion engine can use it."""
    from tweenbridge_installer import torch_build

    facts = torch_build.look()
    if facts.cuda is not None:
        return Check("Graphics driver", Verdict.OK, "NVIDIA, for CUDA {}.{}".format(*facts.cuda))
    if facts.rocm is not None:
        version = ".".join(map(str, facts.rocm)) if facts.rocm > (0, 0) else "of unknown version"
        return Check("Graphics driver", Verdict.OK, f"AMD, ROCm {version}")
    if facts.system == "darwin":
        return Check("Graphics driver", Verdict.OK, "Apple's")
    found = "none for NVIDIA or AMD; the flow engine needs none, dreammover is slow without"
    return Check("Graphics driver", Verdict.NOTE, found)


def mended(home: Path) -> Check | None:
    """Whether the job list was damaged and had to be mended; None where it never was."""
    from ..jobs.store_file import damaged_lists

    found = damaged_lists(home)
    if not found:
        return None
    return Check(
        "Job list",
        Verdict.NOTE,
        f"was damaged on the disk and mended; what it was is kept as {found[-1].name}",
        "Check the disk. `tweenbridge logs` says what could not be read; delete the file to end this note.",
    )


def cluster(home: Path) -> Check | None:
    """Whether the cluster answers and can be used; None where the server does not use one."""
    from ..config import load_config
    from ..executors.cluster.ask import survey

    try:
        config = load_config(home)
    except TweenbridgeError:
        return None  # the check of the settings says why
    if config.executor != "cluster":
        return None
    try:
        found = survey(config.cluster)
    except TweenbridgeError as error:
        return Check("Cluster", Verdict.WRONG, str(error), error.remedy)
    line = f"Ray {found.ray} at {found.address}: {plural(len(found.nodes), 'node')}, room for {found.room} at once"
    problems = " ".join(node.problem for node in found.nodes if node.problem and (node.cpus or node.gpus))
    if not found.room:
        remedy = problems or "Start a node that works: `ray start --address=HEAD:6379`."
        return Check("Cluster", Verdict.WRONG, line, remedy)
    return Check("Cluster", Verdict.NOTE if problems else Verdict.OK, line, problems)


def port(home: Path) -> Check | None:
    """Whether the port that is set can be had; None where none is set, or the server has it."""
    from tweenbridge.discovery import read_address
    from tweenbridge.launcher import is_listening

    from ..config import load_config

    try:
        config = load_config(home)
    except TweenbridgeError:
        return None  # the check of the settings says why
    address = read_address(home)
    if config.port == 0 or (address is not None and is_listening(address)):
        return None
    try:
        with socket.create_server((config.host, config.port), family=_family(config.host)):
            pass
    except OSError as error:
        remedy = "End the program that uses it, or set another server.port, or 0 for any."
        return Check("Port", Verdict.WRONG, f"{config.port} cannot be used: {error.strerror or error}", remedy)
    return Check("Port", Verdict.OK, f"{config.port} is free")


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def plugins(home: Path) -> Iterator[Check]:
    """The editors on this computer: which of them has which version of the plugin."""
    from tweenbridge_installer import editors, record
    from tweenbridge_installer.errors import InstallError
    from tweenbridge_installer.machine import Machine, run_program

    try:
        kept = record.load(home)
        if not kept.finished:
            yield Check("Installation", Verdict.NOTE, "it was interrupted", f"{_INSTALL} It goes on where it stopped.")
    except InstallError as error:
        yield Check("Installation", Verdict.WRONG, "install.json in the data folder cannot be read", str(error))
    found = editors.find(Machine.here(home), run_program).editors
    for editor in found:
        yield plugin(editor.name, editor.installed, editor.obstacle)
    if not found:
        yield Check("Editors", Verdict.OK, "neither Blender nor DaVinci Resolve was found")


def plugin(editor: str, installed: str | None, obstacle: str = "") -> Check:
    """One editor's line."""
    if installed is None:
        return Check(editor, Verdict.OK, obstacle or "without the plugin", "" if obstacle else _INSTALL)
    if installed != __version__:
        found = f"has the plugin of Tweenbridge {installed}, and this is {__version__}"
        return Check(editor, Verdict.NOTE, found, f"{_INSTALL} It makes them the same.")
    return Check(editor, Verdict.OK, f"has the plugin, {installed}")


_OWN_IT = "Make the data folder yours again, with all that is in it."


def permissions(home: Path) -> Check:
    """Whether the data folder is the user's, and nobody else may look into it."""
    if os.name != "posix":
        return Check("Permissions", Verdict.OK, "those of your user folder")
    try:
        about = home.stat()
        others = [path for path in home.rglob("*") if path.lstat().st_uid != about.st_uid]
    except OSError as error:
        return Check("Permissions", Verdict.WRONG, f"the data folder: {error.strerror or error}", _OWN_IT)
    if about.st_uid != os.getuid() or others:
        owner = "is another user's" if about.st_uid != os.getuid() else f"holds {plural(len(others), 'file')} of others"
        return Check("Permissions", Verdict.NOTE, f"the data folder {owner}", _OWN_IT)
    if stat.S_IMODE(about.st_mode) & 0o077:
        return Check("Permissions", Verdict.NOTE, "others may look into the data folder", f"Run `chmod 700 '{home}'`.")
    return Check("Permissions", Verdict.OK, "the data folder is yours alone")
