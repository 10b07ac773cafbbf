"""Trains one network for a time: rates, averaging of weights, checkpoints, a log. What is trained, and on what, is told
by a function that gives the loss."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from . import checkpoints
from .muon import Muon

_CLIP: Final = 1.0
_WARM_UP: Final = 100
_LOG_STEPS: Final = 25
_SAVE_SECONDS: Final = 60.0
_LONGEST_MEMORY: Final = 0.9995


@dataclass(frozen=True)
class Device:
    """Where and how one computes.

    Attributes:
        name: "cpu" or "cuda".
        half: the number format that layers run in, a short one where that is faster; weights are always in full
            precision.
    """

    name: str
    half: torch.dtype

    def autocast(self) -> AbstractContextManager[Any]:
        """Layers run in the short format inside."""
        return torch.autocast(self.name, self.half, enabled=self.half is not torch.float32)

    def free_bytes(self) -> int | None:
        """Of a graphics card; None for a processor, whose memory is no limit here."""
        return torch.cuda.mem_get_info()[0] if self.name == "cuda" else None


def choose_device(name: str) -> Device:
    """A graphics card where there is one ("auto"), or the one named.

    A card computes in bfloat16 where it can, else in float16; a processor in bfloat16 where that is faster, for many
    only imitate it.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cpu":
        return Device(name, min((torch.bfloat16, torch.float32), key=_seconds))
    return Device(name, torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16)


def _seconds(half: torch.dtype) -> float:
    """How long a convolution takes the processor, there and back, in that number format: the least of a few."""
    layer, picture = nn.Conv2d(64, 64, 3, padding=1), torch.rand(1, 64, 64, 64, requires_grad=True)
    taken = []
    for _ in range(4):
        began = time.process_time()
        with torch.autocast("cpu", half, enabled=half is not torch.float32):
            total = layer(picture).float().sum()
        total.backward()
        taken.append(time.process_time() - began)
    return min(taken)


@dataclass(frozen=True)
class Plan:
    """How a network is trained.

    Attributes:
        seconds: for how long in all, what earlier runs took counted in.
        rate: the learning rate, after some steps of warming up; from the fraction `flat` of the time on it falls along
            a cosine to a fiftieth.
        second: AdamW's decay of squared gradients.
    """

    seconds: float
    rate: float
    flat: float
    second: float
    seed: int

    def rate_at(self, fraction: float, step: int) -> float:
        """The learning rate."""
        falls = max(0.0, (fraction - self.flat) / (1 - self.flat))
        return self.rate * min(1.0, (step + 1) / _WARM_UP) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * falls)))


Loss = Callable[[float, int, torch.Generator], tuple[Tensor, float]]
"""From the fraction of the time, the step and a source of chance: the loss, and what the log says of it."""


def fit(
    network: nn.Module,
    loss_of: Callable[[int], Loss],
    plan: Plan,
    device: Device,
    file: Path,
    log: Path,
    saved: Callable[[nn.Module], None],
) -> nn.Module:
    """Train until the plan's time is over, going on from `file` where it is there.

    Args:
        network: what to begin with.
        loss_of: given the step to begin at, the function that gives losses.
        file: written about once a minute; a kill loses no more than that.
        log: lines of JSON are appended to it.
        saved: called with the averaged network whenever the file was written.

    Returns:
        The network with averaged weights, on the processor.
    """
    network.to(device.name).train()
    average = copy.deepcopy(network).requires_grad_(False).eval()
    optimiser = Muon(network, plan.rate, plan.second)
    scaler = torch.amp.GradScaler(device.name, enabled=device.half is torch.float16)
    step, before = 0, 0.0
    state = checkpoints.read(file)
    if state is not None:
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        scaler.load_state_dict(state["scaler"])
        step, before = state["step"], state["seconds"]
    began = last = time.monotonic()
    loss = loss_of(step)
    values: list[float] = []

    def seconds() -> float:
        return before + time.monotonic() - began

    def save() -> None:
        parts: dict[str, Any] = {"network": network, "average": average, "optimiser": optimiser, "scaler": scaler}
        states = {name: part.state_dict() for name, part in parts.items()}
        checkpoints.save(file, states | {"step": step, "seconds": seconds()})
        saved(average)

    while (fraction := seconds() / plan.seconds) < 1:
        for group in optimiser.param_groups:
            group["lr"] = plan.rate_at(fraction, step)
        # Chance depends on the step alone, so that a run that was cut off goes on as it would have.
        value, shown = loss(fraction, step, torch.Generator().manual_seed(plan.seed * 1_000_003 + step))
        scaler.scale(value).backward()  # type: ignore[no-untyped-call]
        scaler.unscale_(optimiser)
        nn.utils.clip_grad_norm_(network.parameters(), _CLIP)
        scaler.step(optimiser)
        scaler.update()
        optimiser.zero_grad()
        step += 1
        _follow(average, network, min(_LONGEST_MEMORY, (1 + step) / (20 + step)))
        values.append(shown)
        if len(values) == _LOG_STEPS:
            line = {"stage": file.stem, "step": step, "seconds": round(seconds(), 1), "value": sum(values) / _LOG_STEPS}
            with log.open("a") as lines:
                lines.write(json.dumps(line) + "\n")
            values.clear()
        if time.monotonic() - last > _SAVE_SECONDS:
            save()
            last = time.monotonic()
    if state is None or step > state["step"]:
        save()
    return average.cpu()


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module, keep: float) -> None:
    torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - keep)
