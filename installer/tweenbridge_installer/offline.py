"""Installing without a network: a folder with everything that pip would fetch, and pip told to look nowhere else.

tweenbridge build offline --out FOLDER      where there is a network, on a computer of the same kind
TWEENBRIDGE_OFFLINE=FOLDER python3 bootstrap.py demo      where there is none
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, MutableMapping, Sequence
from pathlib import Path

from . import package_build, pip, resolve_build, torch_build, wheels
from .environment import OLDEST_PIP
from .errors import InstallError

VARIABLE = "TWEENBRIDGE_OFFLINE"
_BUILDS = "setuptools>=77"
"""What pip needs to install a checkout, as pyproject.toml says."""


def use_folder(environment: MutableMapping[str, str]) -> Path | None:
    """Point pip at the folder that TWEENBRIDGE_OFFLINE names, for this process and all that it starts.

    Returns:
        The folder, or None where the variable is not set.

    Raises:
        InstallError: there are no wheels in it.
    """
    chosen = environment.get(VARIABLE)
    if not chosen:
        return None
    folder = Path(chosen).expanduser().absolute()
    if not any(folder.glob("*.whl")):
        raise InstallError(
            f"{VARIABLE} names {folder}, and there are no wheels in it. "
            "`tweenbridge build offline` makes such a folder."
        )
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        environment.pop(name, None)
    environment.update({"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": folder.as_uri(), VARIABLE: str(folder)})
    return folder


def build(root: Path, out: Path, extras: Sequence[str], say: Callable[[str], None]) -> tuple[Path, ...]:
    """Gather everything that installing needs on a computer like this one, with the same Python.

    Args:
        extras: of pyproject.toml, "server" among them.

    Returns:
        The files, sorted by name.

    Raises:
        InstallError: something cannot be had; the sentence says why.
    """
    out.mkdir(parents=True, exist_ok=True)
    version = "{}.{}".format(*sys.version_info[:2])
    wheel, _ = package_build.build(root, out, say)
    say("Fetching the packages...")
    tools = [OLDEST_PIP, _BUILDS, package_build.BACKEND]
    # Each for itself: only one release of a project is taken at a time.
    for wanted in ([tools[0], tools[1]], [tools[2]], [f"{wheel}[{','.join(extras)}]"]):
        _download(wanted, out, version)
    carried = {wheel.name: wheel for wheel in (*wheels.read_lock(), *wheels.read_lock(resolve_build.LOCK))}
    for path in wheels.fetch(carried.values(), wheels.cache_folder(), say):
        shutil.copyfile(path, out / path.name)
    return tuple(sorted(out.glob("*.whl")))


def _download(wanted: Sequence[str], out: Path, version: str) -> None:
    command = [sys.executable, "-I", "-m", "pip", "download", "--no-input", "--disable-pip-version-check"]
    command += ["--only-binary", ":all:", "--progress-bar", "off", "--dest", str(out), *_torch_source(), *wanted]
    result = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False,
        text=True, encoding="utf-8", errors="replace", env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    if result.returncode != 0:
        raise InstallError(pip.explain(result.stdout, version))


def _torch_source() -> list[str]:
    """Where PyTorch's build is, if TWEENBRIDGE_TORCH chooses one: the folder is for the computer that it suits."""
    asked = os.environ.get(torch_build.OVERRIDE, "").strip()
    return ["--extra-index-url", torch_build.SOURCE + asked] if torch_build.is_build(asked) else []
