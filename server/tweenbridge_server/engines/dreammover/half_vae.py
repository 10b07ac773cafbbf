"""Whether a VAE can be computed in half precision.

Half precision is twice as fast and takes half the memory, but its numbers end at 65504, and some VAEs pass that: black
or broken pictures come out. What a model's configuration says of it (`force_upcast`) is its default nearly everywhere,
whether needed or not; so it is measured once, in float32, on a picture with strong contrasts.
"""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor, nn

_SIDE: Final = 256
# How much larger than in the test picture values may get in others.
_MARGIN: Final = 8.0


@torch.no_grad()
def stays_in_range(vae: Any, device: torch.device) -> bool:
    """Whether values stay far below half precision's limit while the VAE, which is float32 and there, does its work."""
    peak = torch.zeros((), device=device)

    def look(module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            torch.maximum(peak, output.abs().amax().nan_to_num(torch.inf), out=peak)

    hooks = [module.register_forward_hook(look) for module in vae.modules()]
    try:
        vae.decode(vae.encode(_picture(device)).latent_dist.mean)
    finally:
        for hook in hooks:
            hook.remove()
    return float(peak) * _MARGIN < torch.finfo(torch.float16).max


def _picture(device: torch.device) -> Tensor:
    """(1, 3, 256, 256) in [-1, 1]: black, white and coloured fields of several sizes, a ramp, and noise."""
    noise = torch.rand(1, 3, _SIDE, _SIDE, generator=torch.Generator().manual_seed(0)) * 2 - 1
    place = torch.arange(_SIDE)
    picture = torch.stack([((place[:, None] // size + place // size) % 2) * 2.0 - 1 for size in (4, 16, 64)])[None]
    picture[..., : _SIDE // 4] = noise[..., : _SIDE // 4]
    picture[..., _SIDE // 4 : _SIDE // 2] = torch.linspace(-1, 1, _SIDE)[:, None]
    return picture.to(device)
