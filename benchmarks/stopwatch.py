"""What the stages of a computation with a U-Net cost: seconds, evaluations, floating-point operations."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

REST = "rest"
"""The stage that everything belongs to which belongs to no other."""


@dataclass
class Stage:
    """What a stage took.

    Attributes:
        seconds: of wall-clock time; the device had finished at both ends.
        evaluations: of the U-Net, each frame of a batch counted by itself.
        deep: those of them that went down to the U-Net's middle, rather than take it from an earlier step.
        flop: floating-point operations, two for a multiplication with addition; 0 where they were not counted.
    """

    seconds: float = 0.0
    evaluations: float = 0.0
    deep: float = 0.0
    flop: float = 0.0

    def scaled(self, times: float) -> Stage:
        """So many times the same."""
        return Stage(*(value * times for value in vars(self).values()))


class Stopwatch:
    """Measures what happens while it is open, by stages. Stages may be nested; each counts without its inner ones."""

    def __init__(self, device: torch.device, unet: Any, count_operations: bool = False) -> None:
        """Counting operations takes time itself: seconds are worth nothing then."""
        self.stages: dict[str, Stage] = {}
        self._device = device
        self._unet = unet
        self._counter = _counter() if count_operations else None
        self._names = [REST]
        self._since = self._flop = 0.0
        self._open = ExitStack()

    def __enter__(self) -> Stopwatch:
        for module, count in ((self._unet.conv_in, self._count), (self._unet.mid_block, self._count_deep)):
            self._open.callback(module.register_forward_pre_hook(count).remove)
        if self._counter:
            self._open.enter_context(self._counter)
        self._turn()
        self.stages.clear()
        return self

    def __exit__(self, *_: object) -> None:
        self._turn()
        self._open.close()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """What happens inside belongs to that stage."""
        self._turn()
        self._names.append(name)
        try:
            yield
        finally:
            self._turn()
            self._names.pop()

    @contextmanager
    def watching(self, functions: Sequence[tuple[Any, str, str]]) -> Iterator[None]:
        """Calls of functions are stages.

        Args:
            functions: each the module or class it is looked up in, its name there, and the stage's name.
        """
        with ExitStack() as stack:
            for owner, name, stage in functions:
                original = getattr(owner, name)
                setattr(owner, name, self._watched(original, stage))
                stack.callback(setattr, owner, name, original)
            yield

    def _watched(self, function: Callable[..., Any], stage: str) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*arguments: Any, **named: Any) -> Any:
            with self.stage(stage):
                return function(*arguments, **named)

        return call

    def _turn(self) -> None:
        """What happened since the last turn belongs to the stage that was open."""
        synchronise(self._device)
        now, flop = time.perf_counter(), float(self._counter.get_total_flops()) if self._counter else 0.0
        here = self._here()
        here.seconds += now - self._since
        here.flop += flop - self._flop
        self._since, self._flop = now, flop

    def _here(self) -> Stage:
        return self.stages.setdefault(self._names[-1], Stage())

    def _count(self, _: Any, inputs: tuple[Any, ...]) -> None:
        self._here().evaluations += len(inputs[0])

    def _count_deep(self, _: Any, inputs: tuple[Any, ...]) -> None:
        self._here().deep += len(inputs[0])


class _OneModule(nullcontext[None]):
    """For torch's counter in place of what follows modules, which holds tensors as long as gradients are computed."""

    parents = frozenset({"Global"})


def _counter() -> FlopCounterMode:
    counter = FlopCounterMode(display=False, custom_mapping=_ON_CPU)
    counter.mod_tracker = _OneModule()  # type: ignore[assignment]
    return counter


def synchronise(device: torch.device) -> None:
    """Wait until the device has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "xpu":
        torch.xpu.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def reset_peak(device: torch.device) -> None:
    """Forget the most that was held so far, where the device can; a process's own peak stays."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif device.type == "xpu":
        torch.xpu.reset_peak_memory_stats(device)


def peak_memory(device: torch.device) -> dict[str, float]:
    """Most bytes that this process held so far: in tensors and in reserve on a GPU, else all of the process.

    Empty where the system does not say.
    """
    if device.type == "cuda":
        return {
            "in tensors": float(torch.cuda.max_memory_allocated(device)),
            "reserved": float(torch.cuda.max_memory_reserved(device)),
        }
    if device.type == "xpu":
        return {"in tensors": float(torch.xpu.max_memory_allocated(device))}
    if device.type == "mps":
        return {"now in tensors": float(torch.mps.driver_allocated_memory())}
    try:
        import resource
    except ImportError:
        return {}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"process": float(peak if sys.platform == "darwin" else peak * 1024)}


def _attention(query: Any, key: Any, value: Any, *_: Any, out_shape: Any = None, **__: Any) -> int:
    return int(sdpa_flop_count(query, key, value))  # type: ignore[no-untyped-call]


def _attention_back(gradient: Any, query: Any, key: Any, value: Any, *_: Any, out_shape: Any = None, **__: Any) -> int:
    return int(sdpa_backward_flop_count(gradient, query, key, value))  # type: ignore[no-untyped-call]


_ON_CPU = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_back,
}
"""Torch counts the fused attention of graphics processors only."""
