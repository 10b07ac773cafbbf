"""Blender as a Python module, to test the extension with: one environment for each version, under `.blender/`.

Each is about 1 GB, a download of some 300 MB. One that is not whole is made anew. To one that is whole, what a later
state of the project needs is added.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from . import pip
from .environment import Environment, interpreter_version, make, newly_damaged, read_stamp, write_stamp
from .errors import InstallError
from .lock import locked


@dataclass(frozen=True)
class Release:
    """A Blender version that the extension is tested with, and the Python that it is built for."""

    blender: str
    python: str

    @property
    def requirements(self) -> tuple[str, ...]:
        return (f"bpy=={self.blender}.*", "pytest>=8.3", "pytest-random-order>=1.2", "pytest-timeout>=2.3")

    def environment(self, root: Path) -> Environment:
        """Where it is installed for the checkout at `root`."""
        return Environment(root, f".blender/{self.blender}")


RELEASES = (
    Release("4.2", "3.11"),
    Release("4.5", "3.11"),
    Release("5.0", "3.11"),
    Release("5.2", "3.13"),
    Release("5.3", "3.13"),
)
"""Oldest first."""


def _interpreters(version: str) -> Iterator[str]:
    """Programs that may be a Python of this version ("3.13"), likely ones first."""
    yield sys.executable
    for name in (f"python{version}", "python3", "python"):
        found = shutil.which(name)
        if found:
            yield found
    # pyenv puts a `python3.13` on the PATH that refuses to run where another version is chosen.
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    yield from (str(path) for path in sorted(pyenv.glob(f"{version}.*/bin/python"), reverse=True))
    launcher = shutil.which("py")
    if launcher:
        asked = [launcher, f"-{version}", "-c", "import sys; print(sys.executable)"]
        shown = subprocess.run(asked, capture_output=True, text=True, check=False)
        if shown.returncode == 0:
            yield shown.stdout.strip()


def find_interpreter(version: str) -> str | None:
    """A Python of this version that can make environments, or None."""
    program = "import ensurepip, venv, sys; print('%d.%d' % sys.version_info[:2])"
    for candidate in _interpreters(version):
        try:
            shown = subprocess.run(
                [candidate, "-I", "-c", program], capture_output=True, text=True, timeout=30, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if shown.returncode == 0 and shown.stdout.strip() == version:
            return candidate
    return None


def is_ready(release: Release, root: Path) -> bool:
    """Whether the environment is there, whole, and has what is needed. Takes about a tenth of a second."""
    needed = list(release.requirements)
    return read_stamp(release.environment(root)).get("requirements") == needed and _is_whole(release, root)


def _is_whole(release: Release, root: Path) -> bool:
    """Whether an installation finished there, whatever for, and nothing was lost since."""
    environment = release.environment(root)
    packages = environment.packages()
    return (
        packages is not None
        and "requirements" in read_stamp(environment)
        and interpreter_version(environment) == release.python
        and not newly_damaged(environment, packages)
    )


def ensure(release: Release, root: Path, say: Callable[[str], None]) -> bool:
    """Make sure that a Blender is there. Returns False, having said so, where there is no Python for it.

    Raises:
        InstallError: it cannot be installed; the sentence says why.
    """
    if is_ready(release, root):
        return True
    interpreter = find_interpreter(release.python)
    if interpreter is None:
        say(f"Blender {release.blender} is left out: it needs Python {release.python}, which is not on this computer.")
        return False
    environment = release.environment(root)
    try:
        environment.folder.mkdir(parents=True, exist_ok=True)
        with locked(environment.lock, say):
            if not is_ready(release, root):
                _install(release, root, interpreter, say)
    except OSError as error:
        raise InstallError(f"{environment.folder} cannot be made: {error.strerror or error}.") from error
    return True


def _install(release: Release, root: Path, interpreter: str, say: Callable[[str], None]) -> None:
    environment = release.environment(root)
    whole = _is_whole(release, root)
    environment.stamp.unlink(missing_ok=True)
    if whole:
        say(f"Adding what the tests in Blender {release.blender} need now...")
    else:
        say(f"Installing Blender {release.blender} as a Python module, for the tests: a large download, once...")
        make(environment, interpreter)
    pip.install(
        environment.python, release.requirements, environment.log, release.python,
        progress=False, no_build="The package source may have moved it; the tests can do without.",
    )  # fmt: skip
    write_stamp(environment, {"requirements": list(release.requirements)})


def prepare(root: Path, every: bool, say: Callable[[str], None]) -> tuple[str, ...]:
    """Make the environments that the tests need, and return the Blender versions.

    Args:
        every: all versions rather than the newest that there is a Python for.

    Raises:
        InstallError: `every` was asked for, and one cannot be installed. Otherwise that is said, and none is returned.
    """
    if every:
        return tuple(release.blender for release in RELEASES if ensure(release, root, say))
    try:
        return next(((release.blender,) for release in reversed(RELEASES) if ensure(release, root, say)), ())
    except InstallError as error:
        say(f"{error}\nThe tests inside Blender are left out.")
        return ()
