"""Between the keyframes' pictures and the network's: size, range, alpha, and the motion of both."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from ...imaging import fit
from ..base import Flow, Gap, Image, Map, Motion
from ..optical_flow.guide import FlowGuide
from .correspondence import Correspondence
from .fusion import Importance, fuse_clean
from .latents import SHRINK
from .splatting import resized, splat_sum

BACKGROUND = 0.5
"""Grey on which keyframes with alpha are shown to the network, in all channels."""


@dataclass(frozen=True)
class Fitting:
    """How the pictures of a gap go in and out.

    Attributes:
        size: (H, W) of the keyframes.
        working: (h, w) that the network sees, multiples of 64.
        detail: fine detail is restored from the keyframes.
        guide: what optical flow knows of the gap; None where it is not asked.
    """

    size: tuple[int, int]
    working: tuple[int, int]
    detail: bool
    guide: FlowGuide | None

    def lead_out(self, picture: Tensor, alpha: Tensor | None, missing: Tensor | None, t: float) -> Image:
        """An in-between at the keyframes' size and with their channels.

        Args:
            picture: (3, h, w) in [0, 1], as the network drew it.
            alpha: (h, w) in [0, 1], for keyframes that have alpha.
            missing: (h / 8, w / 8) what optical flow lost, from `lost`; None where that is not known.
        """
        low = np.ascontiguousarray(picture.movedim(0, -1).cpu().numpy())
        if self.guide is None:
            return fit.fit_out(low, self.size, None, None, False)
        moved, trust = self.guide.in_between(t)
        if missing is not None:
            trust = trust * (1 - cv2.resize(missing.cpu().numpy(), (self.size[1], self.size[0])))
        if alpha is None:
            return fit.fit_out(low, self.size, moved, trust, self.detail)
        shown = fit.fit_out(low, self.size, fit.over(moved, BACKGROUND), trust, self.detail)
        low_alpha, moved_alpha = (_grey(each) for each in (alpha.cpu().numpy(), moved[..., 3]))
        return fit.lift(shown, fit.fit_out(low_alpha, self.size, moved_alpha, trust, True)[..., 0], BACKGROUND)


def lead_in(image: Image, working: tuple[int, int]) -> Tensor:
    """A keyframe as the network takes it: (3, h, w) in [-1, 1]. What is beyond white or black is cut off."""
    rgb = fit.over(image, BACKGROUND) if image.shape[2] == 4 else image
    small = np.clip(fit.fit_in(rgb, working), 0, 1)
    return torch.from_numpy(np.ascontiguousarray(small)).movedim(-1, 0) * 2 - 1


def alphas(gap: Gap, working: tuple[int, int], device: torch.device) -> Tensor | None:
    """Both keyframes' alpha at the working size, (2, 1, h, w); None where there is none."""
    if gap.a.shape[2] == 3:
        return None
    small = [fit.fit_in(np.ascontiguousarray(image[..., 3:]), working).reshape(1, *working) for image in (gap.a, gap.b)]
    return torch.from_numpy(np.clip(np.stack(small), 0, 1)).to(device)


def alpha_between(both: Tensor, matches: Correspondence, counts: Importance, t: float) -> Tensor:
    """Alpha (h, w) at time t: that of both keyframes, moved as their latents are.

    Args:
        both: (2, 1, h, w) from `alphas`.
        matches, counts: at the latents' size.
    """
    size = (both.shape[-2], both.shape[-1])

    def large(field: Tensor) -> Tensor:
        return resized(field[None], size)[0]

    fine = Correspondence(
        SHRINK * large(matches.forward),
        SHRINK * large(matches.backward),
        large(matches.trust_a[None])[0],
        large(matches.trust_b[None])[0],
    )
    return fuse_clean(both, fine, Importance(large(counts.a), large(counts.b)), t)[0].clamp(0, 1)


def _grey(values: Map) -> Image:
    """(H, W) as a picture of three equal channels."""
    return np.repeat(values[..., None], 3, axis=2)


def lost(motion: Correspondence, matches: Correspondence, t: float) -> Tensor:
    """Where things are at time t that optical flow lost and the network found: (h, w), 1 where one of them is.

    A thing whose motion flow did not find is missing from what flow draws, while the ground that it passes over looks
    alike in both keyframes, and is trusted.

    Args:
        motion: from `opinion`.
        matches: at the same size.
    """
    a = _surely(matches.trust_a * (1 - motion.trust_a))
    b = _surely(matches.trust_b * (1 - motion.trust_b))
    way_a, way_b = t * matches.forward[None], (1 - t) * matches.backward[None]
    return torch.maximum(splat_sum(a[None, None], way_a), splat_sum(b[None, None], way_b))[0, 0].clamp(max=1)


def _surely(share: Tensor) -> Tensor:
    """0 up to a half, 1 from five sixths on: edges, where a latent pixel holds two things, are not lost."""
    return ((share - 0.5) * 3).clamp(0, 1)


def opinion(motion: Motion, working: tuple[int, int], device: torch.device) -> Correspondence:
    """What optical flow found, in latent pixels of the working size."""
    size = (working[0] // SHRINK, working[1] // SHRINK)
    forward, trust_a = _shrunk(motion.forward, motion.confidence_a, size)
    backward, trust_b = _shrunk(motion.backward, motion.confidence_b, size)
    return Correspondence(*(torch.from_numpy(each).to(device) for each in (forward, backward, trust_a, trust_b)))


def _shrunk(flow: Flow, confidence: Map, size: tuple[int, int]) -> tuple[Flow, Map]:
    """Flow (2, h, w) in pixels of the smaller size, and its confidence: means weighed by the confidence."""
    height, width = size
    weight = confidence + np.float32(1e-3)
    total = cv2.resize(weight, (width, height), interpolation=cv2.INTER_AREA)
    mean = cv2.resize(flow * weight[..., None], (width, height), interpolation=cv2.INTER_AREA) / total[..., None]
    scale = np.array([width / flow.shape[1], height / flow.shape[0]], np.float32)
    smaller = np.ascontiguousarray((mean * scale).transpose(2, 0, 1), np.float32)
    return smaller, np.clip(total - np.float32(1e-3), 0, 1).astype(np.float32)
