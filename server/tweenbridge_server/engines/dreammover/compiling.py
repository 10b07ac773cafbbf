"""Compiles a model's parts with torch.compile, which fuses what lies between their large operations.

Compiled are the pieces that are pure functions of tensors: convolution blocks, feed-forward layers and whole
transformer blocks outside the controlled layers. The rest (attention that looks at a bank, hooks, deep features kept
from step to step) changes its ways from call to call and stays as it is. Compiled code may change the last bits of a
frame.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Final

import torch
from diffusers.models.attention import BasicTransformerBlock, FeedForward
from diffusers.models.resnet import ResnetBlock2D
from torch import Tensor, nn
from torch.nn import functional

from .attention import CONTROLLED_BLOCKS
from .devices import first_line
from .model import Model

log = logging.getLogger(__name__)

_VARIANTS: Final = 256
"""Of one kind of part, for shapes of weights and inputs: some twenty of each occur in a Stable Diffusion model."""


def compile_parts(model: Model, backend: str = "inductor") -> bool:
    """Have a model's parts compiled when they are first run, each once for every kind of input it meets.

    Args:
        backend: torch.compile's.

    Returns:
        Whether it was done: where the device or the machine lacks what compiling needs, the model stays as it is.
    """
    why = _obstacle(model, backend)
    if why:
        log.warning("Models are not compiled, because that does not work here: %s", why)
        return False
    torch._dynamo.config.recompile_limit = _VARIANTS
    # What cannot be compiled after all is run as it is.
    torch._dynamo.config.suppress_errors = True
    for part in (*_parts(model.unet, CONTROLLED_BLOCKS), *_parts(model.vae.decoder, ())):
        part.compile(backend=backend)
    return True


def _parts(network: nn.Module, controlled: tuple[str, ...]) -> Iterator[nn.Module]:
    """The largest pieces that can be compiled as wholes, none inside another."""
    inside: tuple[str, ...] = ()
    for name, module in network.named_modules():
        if inside and name.startswith(inside):
            continue
        free = isinstance(module, BasicTransformerBlock) and not name.startswith(controlled)
        if free or isinstance(module, ResnetBlock2D | FeedForward):
            inside = (*inside, f"{name}.")
            yield module


def _obstacle(model: Model, backend: str) -> str:
    """Why nothing can be compiled for the model's device; "" where it can. Tried on a few numbers."""

    def little(x: Tensor) -> Tensor:
        return functional.silu(x) @ x

    started = time.monotonic()
    try:
        torch.compile(little, backend=backend, fullgraph=True)(
            torch.ones(8, 8, device=model.device.device, dtype=model.device.dtype)
        )
    except Exception as error:  # noqa: BLE001 - a compiler can be absent or broken in any way
        return first_line(error)
    log.info("Models are compiled as they are used; the compiler answered in %.1f s.", time.monotonic() - started)
    return ""
