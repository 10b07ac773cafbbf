"""`tweenbridge doctor`: is everything there that in-betweens need? One line a check: a verdict, and what to do."""

from __future__ import annotations

import json
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

from tweenbridge.client import Client
from tweenbridge.discovery import lock_file
from tweenbridge.launcher import server_command
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.version import __version__

from ..commands.console import in_users_words, say, short_path
from . import surroundings
from .checks import Check, Verdict

OLDEST_PYTHON = (3, 10)
LOW_DISK = 5e9
"""Bytes free below which long sequences may not fit."""
NO_DISK = 500e6

PACKAGES = {
    "zmq": "the connection to editors",
    "msgpack": "the connection to editors",
    "numpy": "arithmetic on pixels",
    "cv2": "motion estimation",
    "numba": "compiled loops",
    "onnxruntime": "the networks of the flow engine",
    "OpenImageIO": "image files",
    "isal": "writing PNG files",
    "av": "films",
    "huggingface_hub": "downloading models",
    "filelock": "one server at a time",
    "psutil": "watching memory",
    "tomlkit": "changing settings",
}
_DEVICES = "tweenbridge_server.engines.dreammover.devices"
_DEVICES_SECONDS = 60.0
_SETUP = "Run `python3 bootstrap.py setup`."
_REINSTALL = "Run `python3 bootstrap.py setup`, or install the package again."


def examine(home: Path) -> Iterator[Check]:
    """Run every check on this installation and its data folder."""
    yield _python()
    yield from _packages(PACKAGES)
    yield _data_folder(home)
    yield surroundings.permissions(home)
    yield _disk(home)
    mended = surroundings.mended(home)
    if mended is not None:
        yield mended
    yield surroundings.memory()
    yield _settings(home)
    yield _models(home)
    yield _loopback()
    port = surroundings.port(home)
    if port is not None:
        yield port
    cluster = surroundings.cluster(home)
    if cluster is not None:
        yield cluster
    yield _start_command(home)
    yield _server(home)
    yield from surroundings.plugins(home)
    yield _engines()
    yield surroundings.driver()
    yield _dreammover()


def run(home: Path, as_json: bool, report: Path | None) -> bool:
    """Print every check as it is made, and write the report. Returns whether nothing is wrong."""
    kept: list[Check] = []

    def seen() -> Iterator[Check]:
        for check in examine(home):
            kept.append(check)
            yield check

    sound = print_report(seen(), as_json)
    if report is not None:
        from .report import write

        write(report, home, kept)
        say(f"Written to {short_path(report)}, without folders and names: read it before you send it.")
    return sound


def print_report(checks: Iterator[Check], as_json: bool) -> bool:
    """Print the checks as they are made. Returns whether nothing is wrong."""
    if as_json:
        found = list(checks)
        print(json.dumps([asdict(check) | {"verdict": check.verdict.value} for check in found], indent=2))
        return all(check.verdict is not Verdict.WRONG for check in found)
    wrong = 0
    for check in checks:
        wrong += check.verdict is Verdict.WRONG
        print(f"{check.verdict.value:<6} {check.name}: {check.found}", flush=True)
        if check.remedy:
            print(f"       {in_users_words(check.remedy)}", flush=True)
    print("All is well." if not wrong else f"{wrong} wrong.")
    return not wrong


def _python() -> Check:
    found = f"{platform.python_version()} ({platform.system()}, {platform.machine()})"
    if sys.version_info < OLDEST_PYTHON:
        return Check("Python", Verdict.WRONG, found, "Install Python 3.10 or newer and make the environment anew.")
    if sys.maxsize < 2**32:
        return Check("Python", Verdict.WRONG, f"{found}, 32 bits", "Install the 64-bit Python.")
    return Check("Python", Verdict.OK, found)


def _packages(packages: dict[str, str]) -> Iterator[Check]:
    """Import every package in a process of its own, because a library that does not suit the processor may crash it."""
    program = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    try:\n"
        "        print(name, getattr(importlib.import_module(name), '__version__', 'there'), flush=True)\n"
        "    except ImportError as error:\n"
        "        print(name, '!', str(error).splitlines()[0], flush=True)\n"
    )
    command = [sys.executable, *(["-I"] if sys.flags.isolated else []), "-c", program, *packages]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    answers = dict(line.split(" ", 1) for line in result.stdout.splitlines() if " " in line)
    for name, purpose in packages.items():
        answer = answers.get(name, "! it crashed, or one before it did")
        if answer.startswith("!"):
            yield Check(name, Verdict.WRONG, f"{answer[1:].strip()} ({purpose})", _REINSTALL)
        else:
            yield Check(name, Verdict.OK, f"{answer} ({purpose})")


def _data_folder(home: Path) -> Check:
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=home) as file:
            file.write(b"tweenbridge")
    except OSError as error:
        remedy = "Give yourself the right to write there, or choose another folder with TWEENBRIDGE_HOME."
        return Check("Data folder", Verdict.WRONG, f"{home}: {error.strerror or error}", remedy)
    return Check("Data folder", Verdict.OK, str(home))


def _disk(home: Path) -> Check:
    place = next((folder for folder in (home, *home.parents) if folder.exists()), Path.cwd())
    free = shutil.disk_usage(place).free
    found = f"{free / 1e9:.1f} GB free"
    if free < NO_DISK:
        return Check("Disk", Verdict.WRONG, found, "Free some space, or move the data folder with TWEENBRIDGE_HOME.")
    if free < LOW_DISK:
        return Check("Disk", Verdict.NOTE, found, "Long sequences may not fit.")
    return Check("Disk", Verdict.OK, found)


def _settings(home: Path) -> Check:
    from ..config import config_file, load_config

    try:
        config = load_config(home)
    except TweenbridgeError as error:
        return Check("Settings", Verdict.WRONG, str(error), error.remedy)
    if config.warnings:
        return Check("Settings", Verdict.NOTE, " ".join(config.warnings), "Correct or remove what is named.")
    path = config_file(home)
    return Check("Settings", Verdict.OK, str(path) if path.exists() else "the defaults")


def _models(home: Path) -> Check:
    from ..models import catalogue, present, register

    known = catalogue.load(home)
    if known.problems:
        return Check("Models", Verdict.NOTE, " ".join(known.problems), "Correct or remove what is named.")
    there = present.present(home, known, register.read(home))
    damaged = [one for one in there if one.gone]
    if damaged:
        found = "; ".join(f"{one.id}: {one.gone}" for one in damaged)
        return Check("Models", Verdict.NOTE, found, "Run `tweenbridge models verify` or `tweenbridge models repair`.")
    return Check("Models", Verdict.OK, ", ".join(one.id for one in there) or "none yet; flow works without")


def _loopback() -> Check:
    try:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            socket.create_connection(listener.getsockname(), timeout=3.0).close()
    except OSError as error:
        remedy = "Allow Python to accept connections from this computer (127.0.0.1) in the firewall."
        return Check("Ports", Verdict.WRONG, f"127.0.0.1 does not connect: {error.strerror or error}", remedy)
    return Check("Ports", Verdict.OK, "127.0.0.1 accepts connections")


def _start_command(home: Path) -> Check:
    try:
        program = server_command(home)[0]
    except TweenbridgeError as error:
        return Check("Starting", Verdict.WRONG, str(error), error.remedy)
    if shutil.which(program) is None:
        remedy = "Correct the environment variable TWEENBRIDGE_SERVER_COMMAND, or remove it."
        return Check("Starting", Verdict.WRONG, f"{program} is not there", remedy)
    return Check("Starting", Verdict.OK, program)


def _server(home: Path) -> Check:
    try:
        with Client(home, name="doctor", start_server=False) as client:
            status = client.status(timeout=5.0)
    except TweenbridgeError as error:
        if error.code is not ErrorCode.NOT_RUNNING:
            return Check("Server", Verdict.WRONG, str(error), error.remedy)
        if _is_locked(home):
            remedy = "Wait a moment. If that does not help, restart the computer."
            return Check("Server", Verdict.WRONG, "one holds the data folder but does not answer", remedy)
        return Check("Server", Verdict.OK, "not running; it starts by itself")
    found = f"{status.server} runs, process {status.pid}"
    if not status.server.endswith(f" {__version__}"):
        remedy = "Run `tweenbridge stop`; this version starts when it is needed."
        return Check("Server", Verdict.NOTE, f"{found}, and this is {__version__}", remedy)
    return Check("Server", Verdict.OK, found)


def _is_locked(home: Path) -> bool:
    from filelock import FileLock, Timeout

    if not lock_file(home).exists():
        return False
    try:
        with FileLock(lock_file(home), timeout=0):
            return False
    except (Timeout, OSError):
        return True


def _engines() -> Check:
    from ..engines import registry

    infos = registry.infos()
    names = ", ".join(f"{info.name} ({', '.join(profile.name for profile in info.profiles)})" for info in infos)
    return Check("Engines", Verdict.OK if infos else Verdict.WRONG, names or "none", "" if infos else _REINSTALL)


def _dreammover() -> Check:
    """What the diffusion engine would compute with: asked of a process of its own, which a driver may crash."""
    name = "DreamMover"
    versions = {package: _version(package) for package in ("torch", "diffusers")}
    if None in versions.values():
        missing = " and ".join(package for package, version in versions.items() if version is None)
        return Check(name, Verdict.NOTE, f"{missing} not installed; flow works without", _SETUP)
    libraries = ", ".join(f"{package} {version}" for package, version in versions.items())
    command = [sys.executable, *(["-I"] if sys.flags.isolated else []), "-m", _DEVICES]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=_DEVICES_SECONDS, check=False)
        found = json.loads(result.stdout.strip().splitlines()[-1])
        device = f"{found['device']} ({found['name']}, {found['total'] / 1e9:.1f} GB, {found['dtype']})"
    except subprocess.TimeoutExpired:
        return Check(name, Verdict.WRONG, f"{libraries}; looking for devices took over {_DEVICES_SECONDS:g} s", _SETUP)
    except (IndexError, KeyError, TypeError, ValueError):
        words = (result.stderr.strip().splitlines() or ["no answer"])[-1]
        return Check(name, Verdict.WRONG, f"{libraries}; they do not work: {words[:200]}", _SETUP)
    return Check(name, Verdict.OK, f"{libraries}; computes on {device}")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
