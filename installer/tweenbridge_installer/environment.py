"""The Python environment beside a checkout (`.venv`): makes it, checks it quickly, repairs it.

(blender_hosts.py makes others, from some of the functions here.)

A stamp file is written last, so that whatever interrupts an installation leaves none and the next run goes on. Where
there is a stamp, every run compares the sizes of all installed files with what the packages recorded of themselves
(PEP 376's RECORD): that costs some 20 ms and finds files that a scanner, a full disk or a careless hand took away.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from . import pip, torch_build
from .errors import InstallError
from .lock import locked

SERVER = "server"
DEV = "dev"
DREAMMOVER = "dreammover"
TRAY = "tray"

_STEPS = {
    SERVER: "Installing the flow engine (about 200 MB, once)...",
    DEV: "Installing the test tools...",
    DREAMMOVER: "Installing the diffusion engine's libraries...",
    TRAY: "Installing the tray app's windows (about 80 MB, once)...",
}
_IMPORTS = {
    SERVER: (
        "zmq",
        "msgpack",
        "numpy",
        "cv2",
        "OpenImageIO",
        "av",
        "isal",
        "numba",
        "onnxruntime",
        "typer",
        "rich",
        "filelock",
        "psutil",
        "tomlkit",
    ),
    DEV: ("pytest", "hypothesis", "mypy"),
    DREAMMOVER: ("torch", "diffusers", "transformers", "peft", "safetensors"),
    # Not its windows: without a system library such as libegl1 they cannot be imported, and all else works.
    TRAY: ("PySide6",),
}
_VENV = ("-m", "venv")
OLDEST_PIP = "pip>=24.1"
"""Older ones cannot report the progress of a download to another program."""


class Fault(Enum):
    """What is wrong with an environment."""

    NONE = "none"
    UNFINISHED = "unfinished"
    """It works, but what is asked for is not (all) installed, or for another state of the project."""
    DAMAGED = "damaged"
    """Installed files are missing or cut off."""
    BROKEN = "broken"
    """Its interpreter does not run, or it was made elsewhere: only making it anew helps."""


@dataclass(frozen=True)
class Environment:
    """An environment of the checkout at `root`, in the folder `name` there."""

    root: Path
    name: str = ".venv"

    @property
    def folder(self) -> Path:
        return self.root / self.name

    @property
    def python(self) -> Path:
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @property
    def stamp(self) -> Path:
        return self.folder / "tweenbridge-stamp.json"

    @property
    def log(self) -> Path:
        return self.folder / "bootstrap.log"

    @property
    def lock(self) -> Path:
        return self.folder / "bootstrap.lock"

    def packages(self) -> Path | None:
        """The folder that packages are installed in, or None."""
        if os.name == "nt":
            found = [self.folder / "Lib" / "site-packages"]
        else:
            found = sorted(self.folder.glob("lib/python3*/site-packages"))
        return found[0] if len(found) == 1 and found[0].is_dir() else None


def project_hash(root: Path) -> str:
    """Changes when what must be installed may have changed."""
    return hashlib.sha256((root / "pyproject.toml").read_bytes()).hexdigest()


def damaged_packages(packages: Path) -> tuple[Path, ...]:
    """The .dist-info folders of packages of which a file is missing or has another size than recorded."""
    folders = [Path(entry.path) for entry in os.scandir(packages) if entry.name.endswith(".dist-info")]
    return tuple(folder for folder in sorted(folders) if not _is_whole(packages, folder))


def _is_whole(packages: Path, folder: Path) -> bool:
    try:
        record = (folder / "RECORD").read_text(encoding="utf-8")
    except OSError:
        return False
    return all(_as_recorded(packages, line) for line in record.splitlines())


def _as_recorded(packages: Path, line: str) -> bool:
    rest, _, size = line.rpartition(",")
    path = rest.rpartition(",")[0].strip('"')
    if not size or path.endswith(".pyc"):
        return True  # Python writes these again as it sees fit
    try:
        return os.stat(os.path.join(packages, path)).st_size == int(size)
    except OSError:
        return False


def read_stamp(environment: Environment) -> dict[str, object]:
    """What was written down when its installation had finished; {} where it has not."""
    try:
        content = json.loads(environment.stamp.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write_stamp(environment: Environment, content: Mapping[str, object]) -> None:
    """Write down that the installation has finished, and for what."""
    packages = environment.packages()
    # A package that works and still differs from its own record just after installing was published so.
    odd = [folder.name for folder in damaged_packages(packages)] if packages else []
    partial = environment.stamp.with_suffix(".part")
    partial.write_text(json.dumps({**content, "odd": odd}), encoding="utf-8")
    os.replace(partial, environment.stamp)


def newly_damaged(environment: Environment, packages: Path) -> bool:
    """Whether a package is damaged that was whole when its installation had finished."""
    odd = read_stamp(environment).get("odd")
    known = set(odd) if isinstance(odd, list) else set()
    return bool({folder.name for folder in damaged_packages(packages)} - known)


def installed_extras(environment: Environment) -> frozenset[str]:
    """The extras that an installation finished for, whether or not it is still valid."""
    extras = read_stamp(environment).get("extras")
    return frozenset(extras) & frozenset(_STEPS) if isinstance(extras, list) else frozenset()


def interpreter_version(environment: Environment) -> str | None:
    """The version ("3.12") that the environment's interpreter says it is, or None when it does not run."""
    command = [str(environment.python), "-I", "-S", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() if result.returncode == 0 else None


def find_fault(environment: Environment, extras: frozenset[str]) -> Fault:
    """Whether the environment can run commands that need the given extras. Takes tens of milliseconds."""
    stamp = read_stamp(environment)
    packages = environment.packages()
    version = interpreter_version(environment)
    made_here = stamp.get("root", str(environment.root)) == str(environment.root)
    if packages is None or version is None or not made_here:
        return Fault.BROKEN
    if os.name != "nt" and packages.parent.name != f"python{version}":
        return Fault.BROKEN
    if not extras <= installed_extras(environment) or stamp.get("project") != project_hash(environment.root):
        return Fault.UNFINISHED
    return Fault.DAMAGED if newly_damaged(environment, packages) else Fault.NONE


def ensure(
    environment: Environment, extras: frozenset[str], say: Callable[[str], None], *, again: bool = False
) -> bool:
    """Make sure that the environment exists and holds the extras. Says what it does, step by step.

    Args:
        extras: of pyproject.toml, among SERVER, DEV, DREAMMOVER and TRAY.
        again: install even where nothing is wrong, because the machine may have changed (a new driver).

    Returns:
        Whether anything was installed.

    Raises:
        InstallError: it cannot be made; the sentence says why.
    """
    if not again and find_fault(environment, extras) is Fault.NONE:
        return False
    try:
        environment.folder.mkdir(exist_ok=True)
        with locked(environment.lock, say):
            fault = find_fault(environment, extras)
            if fault is Fault.UNFINISHED and not pip.works(environment.python):
                fault = Fault.BROKEN
            if again or fault is not Fault.NONE:
                _repair(environment, fault, extras, say)
    except PermissionError as error:
        raise InstallError(
            f"{error.filename or environment.folder} cannot be written. Close every program that uses Tweenbridge and "
            "check that this folder is yours, then run the same command again."
        ) from error
    except OSError as error:
        raise InstallError(
            f"The environment cannot be made in {environment.folder}: {error.strerror or error}."
        ) from error
    return True


def _repair(environment: Environment, fault: Fault, extras: frozenset[str], say: Callable[[str], None]) -> None:
    held = frozenset() if fault is Fault.BROKEN else installed_extras(environment)
    choice = _torch_choice() if DREAMMOVER in extras | held else None
    environment.stamp.unlink(missing_ok=True)
    if fault is Fault.BROKEN:
        say("Making the environment...")
        make(environment)
    elif fault is Fault.DAMAGED:
        _forget_damaged(environment, say)
    problem = _install(environment, extras | held, extras - held, choice, say)
    if problem:
        say("The environment is damaged; making it anew...")
        make(environment)
        problem = _install(environment, extras, extras, choice, say)
    if problem:
        raise InstallError(f"The installation does not work: {problem}. {environment.log} says what was done.")


def make(environment: Environment, interpreter: str = sys.executable) -> None:
    """Make the environment anew, for the given Python. Its folder exists; what is in it goes, but for lock and log.

    Raises:
        InstallError: that Python cannot; the sentence says what to do.
        OSError: the folder cannot be emptied.
    """
    for entry in environment.folder.iterdir():
        if entry in (environment.lock, environment.log):
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    command = [interpreter, "-I", *_VENV, str(environment.folder)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        output = result.stdout + result.stderr
        if "ensurepip" in output or "No module named venv" in output:
            raise InstallError(
                "This Python cannot make environments. On Debian and Ubuntu: `sudo apt install python3-venv`; "
                "elsewhere install Python from python.org. Then run the same command again."
            )
        raise InstallError(f"Python could not make the environment: {(output.strip().splitlines() or ['?'])[-1]}")


def _forget_damaged(environment: Environment, say: Callable[[str], None]) -> None:
    """Make pip believe that the damaged packages are not installed, so that it installs them over what is left."""
    packages = environment.packages()
    for folder in damaged_packages(packages) if packages else ():
        say(f"Repairing {folder.name.partition('-')[0]}...")
        shutil.rmtree(folder)


def _install(
    environment: Environment, extras: frozenset[str], fresh: frozenset[str], choice: torch_build.Choice | None,
    say: Callable[[str], None],
) -> str | None:  # fmt: skip
    """Install the extras, announcing the `fresh` ones, and check. Returns what does not work, or None."""
    version = interpreter_version(environment) or "?"
    pip.install(environment.python, [OLDEST_PIP], environment.log, version, progress=False)
    if choice is not None and DREAMMOVER in extras:
        _install_torch(environment, version, choice, DREAMMOVER in fresh, say)
    for extra, step in _STEPS.items():
        if extra in fresh:
            say(step)
    target = f"{environment.root}[{','.join(sorted(extras))}]"
    pip.install(environment.python, ["--editable", target], environment.log, version)
    packages = environment.packages()
    if packages and damaged_packages(packages):
        _forget_damaged(environment, say)
        pip.install(environment.python, ["--editable", target], environment.log, version)
    problem = _import_problem(environment, extras)
    if problem is None:
        content = {
            "root": str(environment.root),
            "project": project_hash(environment.root),
            "extras": sorted(extras),
        }
        write_stamp(environment, content)
    return problem


def _torch_choice() -> torch_build.Choice:
    """What suits this machine; installing offline, whatever build the folder of wheels has."""
    try:
        return torch_build.choose_torch(torch_build.look())
    except ValueError as error:
        raise InstallError(str(error)) from None


def _install_torch(
    environment: Environment, version: str, choice: torch_build.Choice, fresh: bool, say: Callable[[str], None]
) -> None:
    say(choice.reason)
    build = None
    if choice.builds and not os.environ.get("PIP_NO_INDEX"):
        try:
            tag = f"cp{version.replace('.', '')}"
            build = torch_build.first_available(choice.builds, tag, platform.machine().lower())
            if build is None:
                say("PyTorch's download site has no such build; using the default package source instead.")
        except OSError:
            say("PyTorch's download site cannot be reached; using the default package source instead.")
    kind = f"PyTorch ({build})" if build else "PyTorch"
    say(f"Installing {kind}: a large download, once..." if fresh else f"Checking {kind}...")
    if build is None:
        pip.install(environment.python, [choice.requirement], environment.log, version)
    else:
        # With its build in the version, pip exchanges one that is there for another kind of device.
        arguments = [f"{choice.requirement}+{build}", "--index-url", torch_build.SOURCE + build]
        pip.install(environment.python, arguments, environment.log, version)


def _import_problem(environment: Environment, extras: frozenset[str]) -> str | None:
    modules = [module for extra in _STEPS if extra in extras for module in _IMPORTS[extra]]
    program = "import " + ", ".join([*modules, "tweenbridge", "tweenbridge_server"])
    command = [str(environment.python), "-I", "-c", program]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if result.returncode == 0 else (result.stderr.strip().splitlines() or ["no answer"])[-1]
