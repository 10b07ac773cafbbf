"""Runs a file of tests inside a real Blender (its Python module), with the built extension installed in it.

From the command line, for one file and with any of pytest's arguments:

    python tests/plugins/blender/hosts.py 5.0 tests/plugins/blender/host/test_install.py -k zmq -x
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from tweenbridge import launcher
from tweenbridge.discovery import read_address
from tweenbridge_installer.blender_build import build

ROOT = Path(__file__).resolve().parents[3]
INSIDE = Path(__file__).with_name("inside.py")
PATIENCE = 600.0
"""Seconds that the tests of one file may take."""
LATE = 124
"""The status of a run that took longer."""


@dataclass(frozen=True)
class Result:
    """What a run inside Blender came to: pytest's exit status (or what else ended it) and all that was printed."""

    status: int
    output: str

    @property
    def summary(self) -> str:
        """The last line, where pytest says how many passed."""
        return (self.output.strip().splitlines() or [""])[-1].strip("= ")


def python_of(version: str) -> Path:
    """The interpreter of the environment that `bootstrap.py test` made for a Blender version."""
    return ROOT / ".blender" / version / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def versions() -> tuple[str, ...]:
    """The Blender versions to test with: those that `$TWEENBRIDGE_BLENDERS` names, else the newest there is."""
    chosen = os.environ.get("TWEENBRIDGE_BLENDERS")
    if chosen is not None:
        return tuple(chosen.split())
    there = sorted(folder.name for folder in (ROOT / ".blender").glob("*/") if python_of(folder.name).is_file())
    return tuple(there[-1:])


def build_extension(out: Path) -> Path:
    """The extension as it is published, in the folder `out`."""
    return build(ROOT, out, say=print)[0]


def run(python: Path, extension: Path, folder: Path, arguments: Sequence[str], patience: float = PATIENCE) -> Result:
    """Run pytest inside Blender.

    It has the folder for itself: Blender's settings, its temporary files and Tweenbridge's data are made there. There
    a client finds how to start the real server; what it started is ended here.

    Args:
        python: the interpreter that has Blender as a module.
        extension: the zip to install.
        folder: an empty folder, or one that does not exist yet.
        arguments: for pytest.
        patience: seconds until it is killed.
    """
    home = folder / "tweenbridge"
    for name in ("blender", "temporary", "tweenbridge"):
        (folder / name).mkdir(parents=True)
    launcher.record_command(launcher.this_installation(), home)
    others = ("PYTHON", "PYTEST", "BLENDER", "TWEENBRIDGE")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    environment |= {name: str(folder / "temporary") for name in ("TMPDIR", "TEMP", "TMP")}
    environment |= {"BLENDER_USER_RESOURCES": str(folder / "blender"), "TWEENBRIDGE_HOME": str(home)}
    command = [str(python), "-I", str(INSIDE), str(extension), "-c", os.devnull, "--rootdir", str(INSIDE.parent)]
    command += ["--confcutdir", str(INSIDE.parent / "host"), "--import-mode=importlib", "-p", "no:cacheprovider"]
    command += ["-o", "timeout=120", "--basetemp", str(folder / "pytest"), *arguments]
    with open(folder / "output.txt", "w+b") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        late = ""
        try:
            status = process.wait(patience)
        except subprocess.TimeoutExpired:
            status = LATE
            late = f"\nkilled after {patience:.0f} s"
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            _end_server(home)
        output.seek(0)
        return Result(status, output.read().decode("utf-8", "replace") + late)


def _end_server(home: Path) -> None:
    """End the server of this data folder and its workers, whatever state they are in."""
    address = read_address(home)
    if address is None or not psutil.pid_exists(address.pid):
        return
    server = psutil.Process(address.pid)
    for process in (*server.children(recursive=True), server):
        try:
            process.kill()
            process.wait(10)
        except psutil.NoSuchProcess:
            continue


def main() -> int:
    """Run one file, as the module says; returns the exit status."""
    version, *arguments = sys.argv[1:]
    arguments = [str(Path(word).absolute()) if Path(word).exists() else word for word in arguments]
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        result = run(python_of(version), build_extension(Path(folder)), Path(folder) / "run", arguments)
        print(result.output, f"({time.monotonic() - started:.1f} s in all)", sep="\n")
    return result.status


if __name__ == "__main__":
    sys.exit(main())
