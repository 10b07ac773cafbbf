"""How many in-betweens go through the network at once, and what happens when memory runs out all the same."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError

from .devices import Device
from .identity import ModelSource, numbers_in
from .model import Model

log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")

_FRAME_BYTES = 2.16 * 2**30 / 34
"""Live activations of one frame in the U-Net: 64x64 latent pixels, 320 channels at full size, two bytes a number."""
_SAFETY = 0.7
"""Share of the free memory that may be planned with: workspaces and fragmentation take from the rest."""
_FUSED_ATTENTION = frozenset({"cuda", "cpu"})
"""Devices whose attention never holds the whole map of every pixel with every other."""
_PLENTY = 16 * 64 * 64
"""Latent pixels that keep a graphics processor busy; more at once gain nothing and delay previews and cancelling."""
_PLENTY_FOR_CPU = 64 * 64
_WORDS = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed", "invalid buffer size")
"""How devices say in a RuntimeError that memory ran out, lower case: CUDA and its libraries, MPS, XPU, CPU."""


@dataclass
class Chunk:
    """How many items are computed at once; it shrinks when memory runs out and stays small."""

    size: int


def weight_bytes(model: Model) -> int:
    """Bytes that a model's weights take where they are."""
    networks = (model.unet, model.vae, model.text_encoder)
    return sum(weight.nbytes for network in networks for weight in network.parameters())


def check_room(source: ModelSource, device: Device) -> None:
    """Refuse a model that cannot fit, before minutes go into loading it.

    Raises:
        TweenbridgeError: OUT_OF_MEMORY, saying what it needs, what there is, and what can be done.
    """
    needed = numbers_in(source) * device.dtype.itemsize
    free = device.free()
    if needed <= free:
        return
    what = f"The model {source.model.name} needs {needed / 1e9:.1f} GB of memory for its weights alone"
    elsewhere = (
        "use a smaller model or the flow engine"
        if device.device.type == "cpu"
        else "set workers.devices to another device, such as cpu, or use the flow engine"
    )
    if needed > device.total:
        raise TweenbridgeError(
            ErrorCode.OUT_OF_MEMORY,
            f"{what}, and {device.name} has {device.total / 1e9:.1f} GB.",
            remedy=f"{elsewhere[0].upper()}{elsewhere[1:]}.",
        )
    raise TweenbridgeError(
        ErrorCode.OUT_OF_MEMORY,
        f"{what}, and of {device.name}'s {device.total / 1e9:.1f} GB only {free / 1e9:.1f} GB are free.",
        remedy=f"Close other programs, then generate again; or {elsewhere}.",
    )


def frames_at_once(device: Device, model: Model, size: tuple[int, int], bank_bytes: int = 0) -> int:
    """How many frames to put through the U-Net together, at least 1.

    Args:
        size: (h, w) of the latents.
        bank_bytes: what will be held beside them, such as the bank of keys and values, and is not allocated yet.
    """
    pixels = size[0] * size[1]
    room = device.free() * _SAFETY - bank_bytes
    plenty = _PLENTY_FOR_CPU if device.device.type == "cpu" else _PLENTY
    return max(1, min(int(room / frame_bytes(device, model, size)), round(plenty / pixels)))


def frame_bytes(device: Device, model: Model, size: tuple[int, int]) -> float:
    """What one frame of latents (h, w) holds in the U-Net while it is evaluated."""
    pixels = size[0] * size[1]
    width: int = model.unet.config.block_out_channels[0]
    heads: int | Sequence[int] = model.unet.config.attention_head_dim
    needed = _FRAME_BYTES * (pixels / 64**2) * (width / 320) * (device.dtype.itemsize / 2)
    if device.device.type not in _FUSED_ATTENTION:
        # Both keyframes' tokens meet every pixel in every head, and softmax makes a second copy.
        most_heads = heads if isinstance(heads, int) else heads[0]
        needed += 2 * most_heads * pixels * 2 * pixels * device.dtype.itemsize
    return needed


def run_chunked(
    items: Sequence[T], chunk: Chunk, run: Callable[[Sequence[T]], R], give_way: Callable[[], bool]
) -> Iterator[R]:
    """Run `items` in groups of at most `chunk.size`; where memory runs out, make do with less.

    First the groups are halved (`chunk.size` keeps that), then `give_way` is asked to free something.

    Args:
        run: computes one group. It may be called again with some of the same items after it ran out of memory.
        give_way: frees what can be brought back later; returns whether that was anything.

    Yields:
        What `run` returned, group by group, as it comes.

    Raises:
        TweenbridgeError: OUT_OF_MEMORY when one item alone does not fit and nothing is left to free.
    """
    done = 0
    while done < len(items):
        group = items[done : done + chunk.size]
        fitted = _attempt(run, group)
        if fitted:
            done += len(group)
            yield fitted[0]
            continue
        # Only here are the failed attempt's tensors out of reach: its error held them through its traceback.
        release_unused()
        if len(group) > 1:
            chunk.size = len(group) // 2
            log.info("Memory ran out; %d frames at once from now on.", chunk.size)
        elif give_way():
            log.info("Memory ran out for a single frame; what can be brought back later was put aside.")
            release_unused()
        else:
            raise out_of_memory()


def _attempt(run: Callable[[Sequence[T]], R], group: Sequence[T]) -> list[R]:
    """What `run` returns, in a list; an empty list when memory ran out."""
    try:
        return [run(group)]
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return []


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out, on whatever device."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _WORDS)


def release_unused() -> None:
    """Give memory that torch holds in reserve back to the device."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()
    if torch.xpu.is_available():
        torch.xpu.empty_cache()


def out_of_memory() -> TweenbridgeError:
    """The error for when nothing helped."""
    return TweenbridgeError(
        ErrorCode.OUT_OF_MEMORY,
        "There is not enough memory for even one in-between at this working size.",
        remedy="Set working_size to a smaller number, such as 384, or close other programs.",
    )
