"""Which build of PyTorch suits this machine: looking (`look`), choosing (`choose_torch`, pure) and asking the source.

PyTorch publishes one build for each version of CUDA and ROCm, each under an index of its own; the package index that
pip uses by default holds one build for each operating system. Only the diffusion engine needs PyTorch.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

SOURCE = "https://download.pytorch.org/whl/"
"""Where the PyTorch project publishes its builds, one folder for each kind."""
VERSION = "2.13.0"
"""The PyTorch release that Tweenbridge is tested with."""
OVERRIDE = "TWEENBRIDGE_TORCH"
REACH_TIMEOUT = 5.0
"""Seconds that the source may take to answer."""

CUDA_BUILDS = ((13, 2), (13, 0), (12, 9), (12, 8), (12, 6), (12, 4), (11, 8))
ROCM_BUILDS = ((7, 2), (7, 1), (7, 0), (6, 4), (6, 3))
# The driver's release says which CUDA it runs where nvidia-smi does not (Linux and Windows alike).
_CUDA_OF_DRIVER = ((580, (13, 0)), (575, (12, 9)), (570, (12, 8)), (560, (12, 6)), (525, (12, 0)), (450, (11, 0)))


@dataclass(frozen=True)
class Facts:
    """What was found on the machine.

    Attributes:
        system: "linux", "darwin" or "windows".
        cuda: newest CUDA version that the NVIDIA driver runs; None without such a driver.
        rocm: version of AMD's ROCm, (0, 0) when there is one of unknown version; None without.
        override: what the user asked for in TWEENBRIDGE_TORCH, or "".
    """

    system: str
    cuda: tuple[int, int] | None = None
    rocm: tuple[int, int] | None = None
    override: str = ""


@dataclass(frozen=True)
class Choice:
    """What to install.

    Attributes:
        requirement: for pip, e.g. "torch==2.13.0".
        builds: folders of SOURCE to try in this order; () means pip's default package source.
        reason: a sentence for the user.
    """

    requirement: str
    builds: tuple[str, ...]
    reason: str


def _cuda_builds(driver: tuple[int, int]) -> tuple[str, ...]:
    """What the driver runs natively, newest first; then what CUDA's minor-version compatibility allows."""
    native = [v for v in CUDA_BUILDS if v <= driver]
    compatible = [v for v in reversed(CUDA_BUILDS) if v > driver and v[0] == driver[0]]
    return tuple(f"cu{major}{minor}" for major, minor in (*native, *compatible))


def _rocm_builds(version: tuple[int, int]) -> tuple[str, ...]:
    fitting = [v for v in ROCM_BUILDS if v <= version] if version > (0, 0) else list(ROCM_BUILDS)
    return tuple(f"rocm{major}.{minor}" for major, minor in fitting)


def is_build(asked: str) -> bool:
    """Whether this names one of the kinds of build that the PyTorch project publishes."""
    return asked == "cpu" or re.fullmatch(r"cu\d{3}|rocm\d+\.\d+", asked) is not None


def choose_torch(facts: Facts) -> Choice:
    """Choose a build from what is known of the machine. Pure.

    Raises:
        ValueError: the override is none of the forms it may have; the message is a sentence.
    """
    pinned = f"torch=={VERSION}"
    asked = facts.override.strip()
    if asked:
        if asked.startswith("torch"):
            return Choice(asked, (), f"Installing {asked}, as {OVERRIDE} asks.")
        if asked == "default":
            return Choice(pinned, (), f"Installing PyTorch from the default package source, as {OVERRIDE} asks.")
        if is_build(asked):
            return Choice(pinned, (asked,), f"Installing the {asked} build of PyTorch, as {OVERRIDE} asks.")
        raise ValueError(
            f"{OVERRIDE} is {asked!r}; it can be cu128 or the like, rocm6.4 or the like, cpu, default, "
            f"or a requirement such as torch=={VERSION}."
        )
    if facts.system == "darwin":
        return Choice(pinned, (), "Installing PyTorch for macOS.")
    if facts.cuda is not None:
        builds = _cuda_builds(facts.cuda)
        if builds:
            return Choice(pinned, builds, "Found an NVIDIA GPU: installing PyTorch for CUDA.")
        return Choice(
            pinned,
            ("cpu",),
            "The NVIDIA driver is too old for PyTorch: installing it for the processor. "
            "Update the driver and run `setup` again to use the GPU.",
        )
    if facts.rocm is not None and facts.system == "linux":
        return Choice(pinned, (*_rocm_builds(facts.rocm), "cpu"), "Found an AMD GPU: installing PyTorch for ROCm.")
    return Choice(pinned, ("cpu",), "Found no GPU that PyTorch supports: installing it for the processor.")


def parse_nvidia_smi(output: str) -> tuple[int, int] | None:
    """The newest CUDA version that the driver runs, from what `nvidia-smi` prints; None when it names none."""
    named = re.search(r"CUDA Version:\s*(\d+)\.(\d+)", output)
    if named:
        return int(named[1]), int(named[2])
    driver = re.search(r"Driver Version:\s*(\d+)\.", output)
    if driver is None:
        return None
    return next((cuda for release, cuda in _CUDA_OF_DRIVER if int(driver[1]) >= release), (10, 0))


def _cuda() -> tuple[int, int] | None:
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    try:
        result = subprocess.run([program], capture_output=True, text=True, timeout=15, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_nvidia_smi(result.stdout) if result.returncode == 0 else None


def _rocm(base: Path = Path("/")) -> tuple[int, int] | None:
    """AMD's ROCm on Linux: installed, or a GPU that its kernel driver lists (a processor's gpu_id is 0)."""
    nodes = base / "sys/class/kfd/kfd/topology/nodes"
    gpus = [node for node in nodes.glob("*/gpu_id") if node.read_text().strip() not in ("", "0")]
    installed = base / "opt/rocm/.info/version"
    if installed.is_file():
        version = re.match(r"(\d+)\.(\d+)", installed.read_text())
        if version:
            return int(version[1]), int(version[2])
    return (0, 0) if gpus or (base / "opt/rocm").is_dir() or shutil.which("rocminfo") else None


def look() -> Facts:
    """Look at this machine."""
    system = platform.system().lower()
    return Facts(
        system=system,
        cuda=_cuda() if system != "darwin" else None,
        rocm=_rocm() if system == "linux" else None,
        override=os.environ.get(OVERRIDE, ""),
    )


def listed(page: str, python_tag: str, machine: str) -> bool:
    """Whether an index page lists this release for a Python ("cp312") and a machine ("x86_64", "amd64", "arm64")."""
    release = re.escape(VERSION)
    return re.search(rf'torch-{release}[^-"<]*-{python_tag}-[^"<]*{re.escape(machine)}\.whl', page) is not None


def first_available(builds: tuple[str, ...], python_tag: str, machine: str) -> str | None:
    """The first of the builds that has this release for this Python and machine, or None.

    Args:
        builds: folders of SOURCE.
        python_tag: e.g. "cp312".
        machine: "x86_64", "amd64", "arm64" ..., as wheels' names end.

    Raises:
        OSError: the source cannot be reached.
    """
    for build in builds:
        try:
            with urllib.request.urlopen(f"{SOURCE}{build}/torch/", timeout=REACH_TIMEOUT) as page:  # noqa: S310
                listing = page.read().decode("utf-8", "replace")
        except urllib.error.HTTPError:
            continue
        if listed(listing, python_tag, machine):
            return build
    return None
