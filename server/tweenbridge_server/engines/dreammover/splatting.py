"""Moving latents along flows, forward and backward, on whatever device they are.

Softmax splatting: Niklaus & Liu, CVPR 2020, arXiv 2003.05534, eq. 3 (bilinear kernel), 4 (summation) and 7.
Flows are (N, 2, h, w): dx, dy in pixels of the grid they lie on.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_EPSILON = 1e-7


def splat_sum(values: Tensor, flow: Tensor) -> Tensor:
    """Add each source pixel to the four neighbours of where it lands, by bilinear weights.

    Args:
        values: (N, C, h, w).
        flow: (N, 2, h, w). What lands outside, or has no finite target, is dropped.
    """
    count, channels, height, width = values.shape
    x, y = _targets(flow)
    whole = torch.isfinite(x) & torch.isfinite(y)
    x, y = torch.where(whole, x, -9.0), torch.where(whole, y, -9.0)
    # Far targets are outside whatever their distance, and must not overflow as whole numbers.
    left, top = x.clamp(-9, width + 9).floor(), y.clamp(-9, height + 9).floor()
    sums = values.new_zeros(count, channels, height * width)
    for step_x in (0, 1):
        for step_y in (0, 1):
            column, row = left + step_x, top + step_y
            weight = (1 - (x - column).abs()).clamp(min=0) * (1 - (y - row).abs()).clamp(min=0)
            inside = (column >= 0) & (column < width) & (row >= 0) & (row < height) & whole
            place = torch.where(inside, row * width + column, 0.0).long().reshape(count, 1, -1)
            share = torch.where(inside, weight, 0.0).reshape(count, 1, -1)
            sums.scatter_add_(2, place.expand(-1, channels, -1), values.reshape(count, channels, -1) * share)
    return sums.reshape(count, channels, height, width)


def softsplat(values: Tensor, flow: Tensor, metric: Tensor) -> Tensor:
    """Softmax splatting: where several land, each counts by exp(metric).

    Args:
        values: (N, C, h, w). A channel of ones comes out as soft coverage: 1 where anything landed, 0 in holes.
        flow: (N, 2, h, w).
        metric: (N, 1, h, w).
    """
    weight = metric.exp()
    sums = splat_sum(torch.cat([values * weight, weight], 1), flow)
    return sums[:, :-1] / (sums[:, -1:] + _EPSILON)


def splat_nearest(values: Tensor, flow: Tensor, score: Tensor) -> tuple[Tensor, Tensor]:
    """Move whole pixels to the nearest target; the highest score of several wins, the first of equals.

    Nothing is averaged, so that noise keeps its variance.

    Args:
        values: (N, C, h, w).
        flow: (N, 2, h, w).
        score: (N, 1, h, w).

    Returns:
        (N, C, h, w), 0 where nothing landed, and (N, 1, h, w) the winner's score, -inf where nothing landed.
    """
    count, channels, height, width = values.shape
    x, y = _targets(flow)
    whole = torch.isfinite(x) & torch.isfinite(y)
    # Halves go down, as if by -0.5 < d <= 0.5, the same on every device.
    column = torch.where(whole, (x - 0.5).ceil(), -9.0).clamp(-9, width + 9).long()
    row = torch.where(whole, (y - 0.5).ceil(), -9.0).clamp(-9, height + 9).long()
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    pixels = height * width
    # One cell more takes what lands outside.
    place = torch.where(inside, row * width + column, pixels).reshape(count, pixels)
    scores = score.reshape(count, pixels)
    # Sorted by falling score, then by place, both stable: the first of each place has won.
    by_score = scores.argsort(dim=1, descending=True, stable=True)
    by_place = place.gather(1, by_score).argsort(dim=1, stable=True)
    order = by_score.gather(1, by_place)
    places = place.gather(1, order)
    first = torch.ones_like(places, dtype=torch.bool)
    first[:, 1:] = places[:, 1:] != places[:, :-1]
    target = torch.where(first, places, pixels)
    moved = values.new_zeros(count, channels, pixels + 1)
    best = score.new_full((count, pixels + 1), -torch.inf)
    # Losers go to the cell that is thrown away: every other is written once, so that order is of no account.
    flat = values.reshape(count, channels, pixels)
    index = order.unsqueeze(1).expand(-1, channels, -1)
    moved.scatter_(2, target.unsqueeze(1).expand(-1, channels, -1), flat.gather(2, index))
    best.scatter_(1, target, scores.gather(1, order))
    return (
        moved[..., :pixels].reshape(count, channels, height, width),
        best[:, :pixels].reshape(count, 1, height, width),
    )


def gather_warp(values: Tensor, flow: Tensor) -> Tensor:
    """Sample `values` at where `flow` points: bilinear, zero outside.

    Whole vectors gather exactly, which a sampling grid in [-1, 1] would not: ties of section 7 hang on that.

    Args:
        values: (N, C, h, w).
        flow: (N, 2, h, w) on the grid of the result.
    """
    count, channels, height, width = values.shape
    x, y = _targets(flow)
    x, y = x.clamp(-9, width + 9), y.clamp(-9, height + 9)
    left, top = x.floor(), y.floor()
    flat = values.reshape(count, channels, -1)
    result = torch.zeros_like(values)
    for step_x in (0, 1):
        for step_y in (0, 1):
            column, row = left + step_x, top + step_y
            inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
            share = torch.where(inside, (1 - (x - column).abs()) * (1 - (y - row).abs()), 0.0)
            place = torch.where(inside, row * width + column, 0.0).long().reshape(count, 1, -1)
            taken = flat.gather(2, place.expand(-1, channels, -1)).reshape(values.shape)
            result += taken * share.unsqueeze(1)
    return result


def resized(values: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, C, h, w) at another size: bilinear, half-pixel centres."""
    return functional.interpolate(values, size=size, mode="bilinear", align_corners=False)


def _targets(flow: Tensor) -> tuple[Tensor, Tensor]:
    """Where each pixel goes: x and y, (N, h, w)."""
    height, width = flow.shape[-2:]
    columns = torch.arange(width, device=flow.device, dtype=flow.dtype)
    rows = torch.arange(height, device=flow.device, dtype=flow.dtype).unsqueeze(1)
    return flow[:, 0] + columns, flow[:, 1] + rows
