"""Where things go between two keyframes, read off the U-Net's features: the natural flow estimator.

DreamMover, arXiv 2409.09605, section "natural flow estimator".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from .model import Model
from .unet import predict


@dataclass(frozen=True)
class Correspondence:
    """Matches both ways between keyframes A and B, in latent pixels; float32, on one device.

    Attributes:
        forward: (2, h, w), channel 0 dx, channel 1 dy: from a pixel of A to its place in B.
        backward: (2, h, w): from a pixel of B to its place in A.
        trust_a: (h, w) in [0, 1]: how far `forward` can be trusted; about 1 where the match is sure, 0 where the pixel
            is probably hidden in B or nothing fits.
        trust_b: (h, w): the same for `backward`.
    """

    forward: Tensor
    backward: Tensor
    trust_a: Tensor
    trust_b: Tensor


class _Reached(Exception):
    """Ends an evaluation whose feature is known."""


def features(model: Model, latents: Tensor, label: int, context: Tensor, block: int) -> Tensor:
    """What the network makes of both keyframes half way through: the output of an up block, after its upsampler.

    Args:
        latents: (2, 4, h, w) noisy latents.
        label: their time label.
        context: (1, 77, C).
        block: up block, 0 to 3; what comes after it is not computed.

    Returns:
        (2, C, h', w') float32.
    """
    found: list[Tensor] = []

    def keep(_: Any, __: Any, output: Tensor) -> None:
        found.append(output.float())
        raise _Reached

    hook = model.unet.up_blocks[block].register_forward_hook(keep)
    try:
        predict(model, latents, label, context)
    except _Reached:
        pass
    finally:
        hook.remove()
    return found[0]
