"""Matches between two feature maps: what looks alike, checked, refined, and carried to where nothing is sure.

With every option off and neighbourhood 1 this is DreamMover's natural flow estimator (arXiv 2409.09605): the most
cosine-similar pixel of the whole other map. The rest mends its known weaknesses: targets at whole pixels only, many
pixels sent to one, and no sign of which matches are wrong.

 1. Neighbourhoods: the cosine of whole patches. A patch's inner products are a sum of its pixels', so that one matrix
    product serves any neighbourhood; it is made in bands of rows, so that memory is bounded.
 2. Sub-pixel: the vertex of a parabola through the similarities beside the best, along x and along y.
 3. Cycle: matches that lead back are trusted (the forward-backward check, with a soft threshold).
 4. Second opinion: where optical flow proposes a place that looks nearly as similar, its proposal is taken; how nearly
    depends on how sure each side is.
 5. Edge-aware: see `filling`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as functional

from .correspondence import Correspondence
from .filling import fill
from .settings import Matching

_BAND: Final = 2**24
"""Similarities held at once: 64 MiB, and a few times that while patches are summed. A map of 64 x 64 is one band."""
_LEAST_NORM: Final = 1e-8
_FLAT: Final = 1e-8
"""Curvature below which a similarity has no vertex to speak of."""
_CYCLE_SIGMA: Final = 1.0
"""Latent pixels by which a match may miss its origin until trust has fallen to exp(-1/2)."""
_ENOUGH: Final = 0.5
"""Share of trusted, agreeing neighbours from which on a filled match is trusted as far as it leads back."""
_OPINION_BONUS: Final = 0.4
"""Cosine by which a fully trusted proposal may fall short of the best match and still be taken..."""
_CYCLE_BONUS: Final = 0.2
"""...and by how much less where the best match leads back. Both were chosen, with the other constants here and in
`filling`, on 38 pairs with exact flow: held-out sprites on the same and on changed backgrounds, and rendered clips."""


@dataclass(frozen=True)
class _Found:
    """Best matches of one map's pixels in the other, (2, h, w) and (h, w).

    Attributes:
        flow: to the most similar pixel.
        offset: from there to the vertex between pixels, each coordinate within half a pixel.
        similarity: cosine at the most similar pixel.
        proposed: cosine where the proposal leads; -1 where it leads out of the map, or there is none.
    """

    flow: torch.Tensor
    offset: torch.Tensor
    similarity: torch.Tensor
    proposed: torch.Tensor


def match(
    feat: torch.Tensor,
    size: tuple[int, int],
    options: Matching,
    neighbourhood: int,
    guides: torch.Tensor,
    opinion: Correspondence | None,
) -> Correspondence:
    """Where every latent pixel of each keyframe is in the other.

    Args:
        feat: (2, C, h', w') float32, the features of keyframes A and B.
        size: (h, w) of the latents.
        options: what is done beyond the plain search; its `neighbourhood` is not looked at.
        neighbourhood: odd side of the patches that are compared, in latent pixels; 1 compares single pixels. Pixels
            beyond a border count as the border's.
        guides: (2, 3, h, w) the keyframes at latent size, in [0, 1]: whose edges `options.edge_aware` respects.
        opinion: optical flow at latent size with its own trust; looked at with `options.second_opinion`.

    Returns:
        Matches on feat's device. Without `options.cycle` every match is trusted, an opinion's as far as it says.
    """
    a, b = functional.interpolate(feat.float(), size, mode="bilinear", align_corners=False)
    heard = opinion if options.second_opinion else None
    found_a = _search(a, b, neighbourhood, heard.forward if heard else None)
    found_b = _search(b, a, neighbourhood, heard.backward if heard else None)
    forward, backward = (found.flow + found.offset if options.subpixel else found.flow for found in (found_a, found_b))
    trust_a, trust_b = _trust(forward, backward, options.cycle)
    if heard is not None:
        forward, trust_a = _hear(forward, trust_a, found_a, heard.forward, heard.trust_a)
        backward, trust_b = _hear(backward, trust_b, found_b, heard.backward, heard.trust_b)
    if options.edge_aware:
        forward, support_a = fill(forward, trust_a, guides[0])
        backward, support_b = fill(backward, trust_b, guides[1])
        if options.cycle:
            trust_a, trust_b = _trust(forward, backward, True)
            # What was filled leads back easily, being smooth: it also needs enough around it that was sure before.
            trust_a *= (support_a / _ENOUGH).clamp_max(1)
            trust_b *= (support_b / _ENOUGH).clamp_max(1)
    return Correspondence(forward, backward, trust_a, trust_b)


def _search(source: torch.Tensor, target: torch.Tensor, side: int, proposal: torch.Tensor | None) -> _Found:
    """For each pixel of `source` (C, h, w) the most similar one of `target`; the first in row-major order on ties."""
    height, width = source.shape[1:]
    places = _places(height, width, source.device)
    flows, offsets, similarities, proposed = [], [], [], []
    for rows, cosines in _cosines(source, target, side):
        flat = cosines.flatten(1)
        best = flat.argmax(1)
        x, y = best % width, best // width
        top = _at(flat, best)
        offsets.append(torch.stack((_vertex(flat, best, top, x, width, 1), _vertex(flat, best, top, y, height, width))))
        flows.append(torch.stack((x, y)) - places[:, rows].flatten(1))
        similarities.append(top)
        if proposal is not None:
            proposed.append(_between(flat, (places + proposal)[:, rows].flatten(1), height, width))
    similarity = torch.cat(similarities).view(height, width)
    return _Found(
        flow=torch.cat(flows, 1).view(2, height, width),
        offset=torch.cat(offsets, 1).view(2, height, width),
        similarity=similarity,
        proposed=torch.cat(proposed).view(height, width) if proposed else torch.full_like(similarity, -1.0),
    )


def _cosines(source: torch.Tensor, target: torch.Tensor, side: int) -> Iterator[tuple[slice, torch.Tensor]]:
    """Bands of rows of `source`, each with its pixels' patches' cosines: (rows * w, h, w), target's pixels last two."""
    channels, height, width = source.shape
    reach = side // 2
    wide = width + 2 * reach
    source, target = (functional.pad(one[None], (reach,) * 4, mode="replicate")[0] for one in (source, target))
    scale_source, scale_target = (1.0 / _patch_norms(one, side) for one in (source, target))
    everywhere = target.reshape(channels, -1)
    step = max(1, _BAND // (width * height * width))
    for first in range(0, height, step):
        rows = slice(first, min(first + step, height))
        count = rows.stop - rows.start
        band = source[:, first : rows.stop + 2 * reach].reshape(channels, -1)
        products = (band.T @ everywhere).view(count + 2 * reach, wide, height + 2 * reach, wide)
        if side > 1:
            products = _summed([products[d : d + count, :, d : d + height] for d in range(side)])
            products = _summed([products[:, d : d + width, :, d : d + width] for d in range(side)])
        products *= scale_source[rows, :, None, None]
        products *= scale_target
        yield rows, products.reshape(count * width, height, width)


def _summed(parts: list[torch.Tensor]) -> torch.Tensor:
    """The parts' sum, in new memory."""
    total = parts[0].clone()
    for part in parts[1:]:
        total += part
    return total


def _patch_norms(padded: torch.Tensor, side: int) -> torch.Tensor:
    """Length of each patch of (C, h + side - 1, w + side - 1) features: (h, w)."""
    squares = padded.square().sum(0)[None, None]
    return (functional.avg_pool2d(squares, side, stride=1)[0, 0] * side**2).sqrt().clamp_min(_LEAST_NORM)


def _vertex(
    flat: torch.Tensor, best: torch.Tensor, top: torch.Tensor, coordinate: torch.Tensor, length: int, stride: int
) -> torch.Tensor:
    """Where between pixels a parabola through the best similarity and its two neighbours peaks; 0 at borders."""
    inside = (coordinate > 0) & (coordinate < length - 1)
    before = _at(flat, (best - stride).clamp_min(0))
    after = _at(flat, (best + stride).clamp_max(flat.shape[1] - 1))
    bend = 2 * top - before - after
    offset = (after - before) / (2 * bend.clamp_min(_FLAT))
    return torch.where(inside & (bend > _FLAT), offset, 0.0).clamp(-0.5, 0.5)


def _between(flat: torch.Tensor, place: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Similarity of pixels (n, h * w) at fractional places (2, n), bilinear; -1 beyond the map."""
    inside = _inside(place, height, width)
    x, y = place[0].clamp(0, width - 1), place[1].clamp(0, height - 1)
    left, above = x.floor(), y.floor()
    right, below = (left + 1).clamp_max(width - 1), (above + 1).clamp_max(height - 1)
    u, v = x - left, y - above
    corners = ((left, above, (1 - u) * (1 - v)), (right, above, u * (1 - v)), (left, below, (1 - u) * v))
    value = u * v * _at(flat, (below * width + right).long())
    for column, row, weight in corners:
        value = value + weight * _at(flat, (row * width + column).long())
    return torch.where(inside, value, -1.0)


def _hear(
    flow: torch.Tensor, trust: torch.Tensor, found: _Found, proposal: torch.Tensor, sure: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The proposal where it looks nearly as similar as the best match, and how far the result can be trusted."""
    take = (found.proposed > -1) & (found.proposed + _OPINION_BONUS * sure > found.similarity + _CYCLE_BONUS * trust)
    return torch.where(take, proposal, flow), torch.where(take, sure, trust)


def _trust(forward: torch.Tensor, backward: torch.Tensor, checked: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """How nearly each match leads back to where it came from: 1 exactly, 0 far away or out of the map."""
    if not checked:
        whole = torch.ones_like(forward[0])
        return whole, whole.clone()
    return _leads_back(forward, backward), _leads_back(backward, forward)


def _leads_back(there: torch.Tensor, back: torch.Tensor) -> torch.Tensor:
    height, width = there.shape[1:]
    place = _places(height, width, there.device) + there
    scale = torch.tensor([2.0 / max(width - 1, 1), 2.0 / max(height - 1, 1)], device=there.device)
    grid = place.permute(1, 2, 0) * scale - 1
    returned = functional.grid_sample(back[None], grid[None], padding_mode="border", align_corners=True)[0]
    miss = (there + returned).square().sum(0)
    return torch.exp(miss / (-2 * _CYCLE_SIGMA**2)) * _inside(place, height, width)


def _places(height: int, width: int, device: torch.device) -> torch.Tensor:
    """(2, h, w): every pixel's x and y."""
    y, x = torch.meshgrid(
        torch.arange(height, device=device, dtype=torch.float32),
        torch.arange(width, device=device, dtype=torch.float32),
        indexing="ij",
    )
    return torch.stack((x, y))


def _inside(place: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Whether places (2, ...) lie on some pixel of the map."""
    x, y = place
    within: torch.Tensor = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
    return within


def _at(flat: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """One value (n,) of each row of (n, m)."""
    values: torch.Tensor = flat.gather(1, index[:, None])[:, 0]
    return values
