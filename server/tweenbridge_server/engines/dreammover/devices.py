"""What to compute on, and in which number format.

`python -m tweenbridge_server.engines.dreammover.devices` prints what was found as one line of JSON; `doctor` asks that
in a process of its own, because a broken driver may take the process with it.

TF32 (ten bits of mantissa, the range of float32) is allowed for convolutions while the U-Net runs in half precision:
the only float32 convolutions are then the VAE's, where it costs less than half precision would. It is never allowed for
matrix products: correspondences are the larger of two cosines, and TF32 rounds at 1e-3 what differs by 1e-6. With a
float32 U-Net, which is asked for when results are compared, everything is computed in full.
"""

from __future__ import annotations

import json
import re
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import psutil
import torch
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError

# In the order in which they are preferred.
_ACCELERATORS: Final = ("cuda", "xpu", "mps")
# These give NaN in float16 convolutions, and have no bfloat16.
_NO_HALF: Final = re.compile(r"GTX 16\d\d")


@dataclass(frozen=True)
class Device:
    """Where tensors live and how they are stored.

    Attributes:
        device: torch's device.
        dtype: for the U-Net and the text encoder.
        vae_dtype: for the VAE.
        name: for people.
        total: memory in bytes; the machine's, where the device shares it.
        free: memory in bytes that could be had now.
    """

    device: torch.device
    dtype: torch.dtype
    vae_dtype: torch.dtype
    name: str
    total: int
    free: Callable[[], int]


def choose(wanted: str = "auto") -> Device:
    """The device to compute on.

    Args:
        wanted: "auto" for the best that works (CUDA, which includes AMD's ROCm, then XPU, MPS, CPU), or one by name:
            "cpu", "cuda", "cuda:1", "xpu", "mps".

    Raises:
        TweenbridgeError: BAD_REQUEST where the named one is not there or does not work.
    """
    wanted = wanted.strip().lower() or "auto"
    if wanted == "cpu":
        return _cpu()
    if wanted == "auto":
        for kind in _ACCELERATORS:
            # A laptop's small built-in GPU may come first in the list. Each that is tried keeps some of its memory.
            for name in sorted(_names(kind), key=_memory, reverse=True):
                device, _ = _try(name)
                if device is not None:
                    return device
        return _cpu()
    if not re.fullmatch(r"(cuda|xpu)(:\d+)?|mps", wanted):
        raise TweenbridgeError(
            ErrorCode.BAD_REQUEST,
            f"There is no kind of device called {wanted!r}.",
            remedy="Use auto, cpu, cuda, cuda:1, xpu or mps.",
        )
    device, why = _try(wanted)
    if device is None:
        raise TweenbridgeError(
            ErrorCode.BAD_REQUEST,
            f"The device {wanted!r} cannot be used: {why}.",
            remedy="Set the device to auto, or run `tweenbridge doctor` to see what is there.",
        )
    return device


def allow_tf32(device: Device) -> None:
    """Set what CUDA may round in float32, for the whole process: see the module's text."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = device.dtype is not torch.float32


def computes_in(device: Device, dtype: torch.dtype) -> bool:
    """Whether the device can multiply matrices of this format: older systems lack bfloat16."""
    try:
        ones = torch.ones(8, 8, device=device.device, dtype=dtype)
        return float((ones @ ones).sum()) == 512
    except (RuntimeError, TypeError):
        return False


def report() -> dict[str, Any]:
    """What there is to compute on, for `doctor`: JSON values; memory in bytes."""
    devices = []
    for kind in _ACCELERATORS:
        for name in _names(kind):
            device, why = _try(name)
            devices.append({"device": name, "works": True, **_facts(device)} if device else _broken(name, why))
    devices.append({"device": "cpu", "works": True, **_facts(_cpu())})
    chosen = choose("auto")
    return {
        "device": str(chosen.device),
        **_facts(chosen),
        "torch": torch.__version__,
        "build": _build(),
        "devices": devices,
    }


def _facts(device: Device) -> dict[str, Any]:
    return {
        "name": device.name,
        "total": device.total,
        "free": device.free(),
        "dtype": str(device.dtype).removeprefix("torch."),
    }


def _broken(name: str, why: str) -> dict[str, Any]:
    return {"device": name, "works": False, "why": why}


def _build() -> str:
    if torch.version.hip:
        return f"ROCm {torch.version.hip}"
    return f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU"


def _names(kind: str) -> list[str]:
    """The devices of a kind that torch lists; a driver that fails to list any has none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if kind == "cuda":
                return [f"cuda:{index}" for index in range(torch.cuda.device_count())]
            if kind == "xpu":
                return [f"xpu:{index}" for index in range(torch.xpu.device_count())]
            return ["mps"] if torch.backends.mps.is_available() else []
    except (RuntimeError, AssertionError, OSError):
        return []


def _memory(name: str) -> int:
    """A listed device's memory in bytes; 0 where it does not tell."""
    try:
        if name.startswith("cuda"):
            return int(torch.cuda.get_device_properties(name).total_memory)
        return int(torch.xpu.get_device_properties(name).total_memory) if name.startswith("xpu") else 0
    except (RuntimeError, AssertionError, OSError):
        return 0


def _try(name: str) -> tuple[Device | None, str]:
    """The device, if it computes; else None and why."""
    kind = name.partition(":")[0]
    listed = _names(kind)
    if not listed:
        return None, f"torch {torch.__version__} ({_build()} build) finds none"
    if ":" not in name:
        name = listed[0]
    if name not in listed:
        return None, f"there is only {', '.join(listed)}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            device = torch.device(name)
            ones = torch.ones(8, 8, device=device, dtype=torch.float16)
            if float((ones @ ones).sum()) != 512:
                return None, "it computes wrongly"
            return {"cuda": _cuda, "xpu": _xpu, "mps": _mps}[kind](device), ""
    except (RuntimeError, AssertionError, OSError) as error:
        return None, first_line(error)


def first_line(error: BaseException) -> str:
    """What an exception says, short enough for a sentence."""
    lines = str(error).strip().splitlines()
    return (lines[0].strip().rstrip(".") if lines else type(error).__name__)[:200]


def _cuda(device: torch.device) -> Device:
    properties = torch.cuda.get_device_properties(device)
    half = torch.float32 if _NO_HALF.search(properties.name) else torch.float16

    def free() -> int:
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0] + unused)

    return Device(device, half, torch.float32, properties.name, int(properties.total_memory), free)


def _xpu(device: torch.device) -> Device:
    properties = torch.xpu.get_device_properties(device)
    total = int(properties.total_memory)
    return Device(
        device,
        torch.float16,
        torch.float32,
        str(properties.name),
        total,
        lambda: total - int(torch.xpu.memory_allocated(device)),
    )


def _mps(device: torch.device) -> Device:
    def free() -> int:
        # The GPU shares the machine's memory, of which the system lets it have a part.
        allowed = int(torch.mps.recommended_max_memory()) - int(torch.mps.driver_allocated_memory())
        return max(0, min(allowed, int(psutil.virtual_memory().available)))

    total = int(torch.mps.recommended_max_memory())
    return Device(device, torch.float16, torch.float32, "Apple GPU", total, free)


def _cpu() -> Device:
    memory = int(psutil.virtual_memory().total)
    return Device(
        torch.device("cpu"),
        torch.float32,
        torch.float32,
        "CPU",
        memory,
        lambda: int(psutil.virtual_memory().available),
    )


if __name__ == "__main__":
    json.dump(report(), sys.stdout)
    sys.stdout.write("\n")
