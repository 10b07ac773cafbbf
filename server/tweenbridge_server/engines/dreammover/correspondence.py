"""Where things go between two keyframes, read off the U-Net's features: the natural flow estimator.

DreamMover, arXiv 2409.09605, section "natural flow estimator".
"""

from __future__ import annotations

from dataclasses import dataclass

import torch


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

    forward: torch.Tensor
    backward: torch.Tensor
    trust_a: torch.Tensor
    trust_b: torch.Tensor
