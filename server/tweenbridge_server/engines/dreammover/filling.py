"""Carries flow from where it is trusted to where it is not, without crossing the picture's edges.

Every pixel asks those around it. A neighbour's voice is the product of its trust, its nearness and its likeness in
colour (a joint bilateral weight: Petschnigg et al., SIGGRAPH 2004, equation 6). Averages of different motions are no
motion at all, so the pixel first picks, among the flows at hand, the one that most voices support, and then averages
those that agree with it, by a robust weight (Geman and McClure's) that is renewed a few times.
"""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as functional

_REACH: Final = 5
"""Latent pixels that a pixel looks to each side."""
_NEAR_SIGMA: Final = 3.0
_COLOUR_SIGMA: Final = 0.1
"""Euclidean distance in RGB, channels in [0, 1]."""
_OWN: Final = 3.0
"""How much more than a neighbour equal in all a pixel counts itself."""
_AGREE: Final = 1.0
"""Latent pixels between flows at which the robust weight of one for the other has fallen to a quarter."""
_ROUNDS: Final = 2
_PROPOSERS: Final = (1, 3, 5)
"""How far away are the neighbours whose flows are considered, eight in each ring."""
_NO_COLOUR: Final = 9.0
"""A value far from any picture's, for what is beyond its borders."""
_UNHEARD: Final = 1e-4
"""Sum of voices below which nobody is near enough to ask."""
_BAND: Final = 2**21
"""Voices held at once: 8 MiB for each of about a dozen arrays."""


def fill(flow: torch.Tensor, trust: torch.Tensor, guide: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Smooth and fill a flow.

    Args:
        flow: (2, h, w) in latent pixels.
        trust: (h, w) in [0, 1].
        guide: (3, h, w) the picture the flow starts from, in [0, 1].

    Returns:
        (2, h, w) the flow, where a pixel with no trusted neighbour of its colour keeps its own; and (h, w) in [0, 1]:
        which share of the neighbours of its colour are trusted and agree.
    """
    height, width = trust.shape
    side = 2 * _REACH + 1
    flow_wide, trust_wide = (functional.pad(one, (_REACH,) * 4) for one in (flow, trust[None]))
    guide_wide = functional.pad(guide, (_REACH,) * 4, value=_NO_COLOUR)
    step = max(1, _BAND // (side * side * width))
    flows, supports = [], []
    for first in range(0, height, step):
        last = min(first + step, height)
        around = [_windows(one[:, first : last + 2 * _REACH], side) for one in (flow_wide, trust_wide, guide_wide)]
        filled, support = _fill_band(
            flow[:, first:last], around[0], around[1][0], around[2] - guide[:, None, first:last]
        )
        flows.append(filled)
        supports.append(support)
    return torch.cat(flows, 1), torch.cat(supports)


def _windows(padded: torch.Tensor, side: int) -> torch.Tensor:
    """(C, h + side - 1, w + side - 1) to (C, side * side, h, w): what is around each pixel."""
    channels, height, width = padded.shape
    windows = functional.unfold(padded[None], side)
    return windows.view(channels, side * side, height - side + 1, width - side + 1)


def _fill_band(
    flow: torch.Tensor, flows: torch.Tensor, trusts: torch.Tensor, differences: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Fill some rows: (2, h, w) and (h, w) from what is around each pixel, (2 | - | 3, neighbours, h, w)."""
    offset = torch.arange(-_REACH, _REACH + 1, device=flow.device, dtype=torch.float32)
    distance = (offset[:, None] ** 2 + offset**2).view(-1, 1, 1)
    likeness = torch.exp(differences.square().sum(0) / (-2 * _COLOUR_SIGMA**2) + distance / (-2 * _NEAR_SIGMA**2))
    likeness[len(likeness) // 2] *= _OWN
    voices = likeness * trusts
    heard = voices.sum(0)

    def disagreement(candidate: torch.Tensor) -> torch.Tensor:
        return 1 + (flows - candidate[:, None]).square().sum(0) / _AGREE**2

    result, support = flow, torch.full_like(heard, -1.0)
    for candidate in (flow, (voices * flows).sum(1) / heard.clamp_min(_UNHEARD), *_proposed(flows)):
        votes = (voices / disagreement(candidate)).sum(0)
        result = torch.where(votes > support, candidate, result)
        support = torch.maximum(votes, support)
    for _ in range(_ROUNDS):
        weights = voices / disagreement(result).square()
        result = (weights * flows).sum(1) / weights.sum(0).clamp_min(torch.finfo(torch.float32).tiny)
    result = torch.where(heard > _UNHEARD, result, flow)
    return result, (voices / disagreement(result)).sum(0) / likeness.sum(0)


def _proposed(flows: torch.Tensor) -> list[torch.Tensor]:
    """Flows (2, h, w) of some neighbours of each pixel."""
    side = 2 * _REACH + 1
    steps = (-1, 0, 1)
    return [
        flows[:, (_REACH + dy * ring) * side + _REACH + dx * ring]
        for ring in _PROPOSERS
        for dy in steps
        for dx in steps
        if dx or dy
    ]
