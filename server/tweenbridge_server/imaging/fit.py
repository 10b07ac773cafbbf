"""Keyframes of any size to and from an engine that draws at a size of its own, and full-size detail put back.

What a diffusion model draws is small, and its autoencoder leaves it soft and a little off in colour. Where the flow
between the keyframes can be believed, the keyframes themselves, moved to the in-between, are better. `fit_out` joins
the two band by band (Burt & Adelson, "A Multiresolution Spline With Application to Image Mosaics", 1983): each band of
frequencies passes from one to the other over a width of its own, which shows neither seam nor double edge.
"""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_AREA_MATTERS: Final = 1.25
"""How much more a wrong area counts than a wrong aspect: more than 1, lest a long strip become longer without end."""

# Lengths in pixels of the working size.
_LATENT: Final = 8
_COARSEST_BAND: Final = 64
"""Coarser than this all colour is the model's: eight pixels of its latents."""
_OFFSET_CELL: Final = 2 * _LATENT
"""On what grid colours are compared: finer, the autoencoder's errors are no longer of colour but of shape."""

_OFFSET: Final = 0.03
"""A difference in colour much greater than this is not the autoencoder's but another thing."""
_SCARCE: Final = 0.05
"""Share of trusted pixels below which what is known of colours fades out."""


def working_size(height: int, width: int, side: int, multiple: int = 64) -> tuple[int, int]:
    """The size (height, width) at which a model works on a picture: multiples of `multiple`, at least one each.

    The area is near side * side, within a factor of 1.5 where `side` is at least four multiples, and the aspect is kept
    as well as multiples allow; a strip too long for that area is shortened.

    Args:
        height, width: of the picture, at least 1.
        side: of the square that the model was made for.
    """
    if height > width:
        columns, rows = working_size(width, height, side, multiple)
        return rows, columns
    wanted = max(1.0, (side / multiple) ** 2)
    aspect = width / height

    def badness(size: tuple[int, int]) -> float:
        rows, columns = size
        wrong = _AREA_MATTERS * abs(math.log(rows * columns / wanted)) + abs(math.log(columns / rows / aspect))
        # Rounded, lest the last bit decide between two that are equally good.
        return round(wrong, 9)

    fewest_rows = max(1, math.floor(math.sqrt(wanted / aspect)))
    fewest_columns = math.floor(min(wanted, math.sqrt(wanted * aspect)))
    rows, columns = min(
        (
            (rows, columns)
            for rows in (fewest_rows, fewest_rows + 1)
            for columns in (fewest_columns, fewest_columns + 1)
        ),
        key=badness,
    )
    return rows * multiple, columns * multiple


def fit_in(image: Floats, size: tuple[int, int]) -> Floats:
    """`image` (H, W, C) at `size` (height, width): averaged over areas where it shrinks, Lanczos where it grows.

    Where nothing changes it may be `image` itself.
    """
    height, width = size
    rows, columns = min(height, image.shape[0]), min(width, image.shape[1])
    if image.shape[:2] != (rows, columns):
        image = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA)
    if (height, width) != (rows, columns):
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LANCZOS4)
    return np.ascontiguousarray(image)


def fit_out(
    low: Floats, size: tuple[int, int], compensated: Floats | None, trust: Floats | None, detail: bool
) -> Floats:
    """A drawing of the model at the size of the keyframes, with their detail where it is known to belong.

    Where trust is 1 far and wide the result is `compensated`, where it is 0 it is `low`, enlarged, its colours joined
    to those of the trusted surroundings.

    Args:
        low: (h, w, 3) the model's drawing at its working size.
        size: height and width of the result.
        compensated: (H, W, 3) the drawing made by moving the keyframes; None where there is none.
        trust: (H, W) how far that can be believed, 0 to 1; None where there is none.
        detail: take detail from `compensated`; otherwise only enlarge.

    Returns:
        (H, W, 3). Nothing is clipped. Where nothing changes it may be `low` itself.
    """
    large = fit_in(low, size)
    if compensated is None or trust is None or not detail:
        return large
    scale = math.sqrt(size[0] * size[1] / (low.shape[0] * low.shape[1]))
    mask = _taken(trust, scale)
    large = large + _colour_offset(compensated - large, mask, scale)
    levels = max(1, math.ceil(math.log2(_COARSEST_BAND * scale)))
    large += _masked((compensated - large) * mask[..., None], mask, levels)
    return large


def over(image: Floats, background: float | Floats) -> Floats:
    """Premultiplied RGBA (H, W, 4) laid on a background: RGB (H, W, 3).

    Args:
        background: a grey, or what broadcasts to (H, W, 3).
    """
    return image[..., :3] + (1 - image[..., 3:]) * np.asarray(background, np.float32)


def lift(rgb: Floats, alpha: Floats, background: float | Floats) -> Floats:
    """The inverse of `over`: premultiplied RGBA (H, W, 4), its colour between 0 and alpha.

    Light beyond what covers, which premultiplied pictures may hold, is lost.

    Args:
        rgb: (H, W, 3) on `background`.
        alpha: (H, W), clipped to 0 to 1.
    """
    coverage = np.clip(alpha, 0, 1)[..., None]
    colour = rgb - (1 - coverage) * np.asarray(background, np.float32)
    return np.concatenate([np.clip(colour, 0, coverage), coverage], axis=2, dtype=np.float32)


def _taken(trust: Floats, scale: float) -> Floats:
    """How much of the compensated drawing is taken.

    The root: half trusted, it is still better than what an autoencoder leaves.
    """
    smooth: Floats = cv2.GaussianBlur(np.sqrt(trust), (0, 0), max(1, round(scale)) / 2)
    return smooth


def _colour_offset(difference: Floats, mask: Floats, scale: float) -> Floats:
    """(H, W, 3) by how much the model's colours are off: known where `mask`, spread smoothly to where it is not."""
    grid = _grid(mask, _OFFSET_CELL * scale)
    known = mask * mask
    weight = _reduced(known, grid)
    sums = _reduced(difference * known[..., None], grid)
    offset = sums / np.maximum(weight, np.float32(1e-6))[..., None]
    likely = np.reciprocal(np.square(1 + _relative(offset, _OFFSET)))
    spread = _spread(sums * likely[..., None], weight * likely)
    return _enlarged(spread, mask.shape)


def _spread(values: Floats, weight: Floats) -> Floats:
    """The weighted mean around each cell, from as near as there is weight, towards 0 where there is little at all.

    Pull and push (Gortler et al. 1996, section 3.4). `values` (h, w, 3) are multiplied by weight (h, w) already.
    """
    height, width = weight.shape
    if max(height, width) <= 2:
        total: Floats = values.sum(axis=(0, 1)) / (weight.sum() + np.float32(_SCARCE * weight.size))
        return np.broadcast_to(total, values.shape)
    half = ((width + 1) // 2, (height + 1) // 2)
    coarse = _spread(_reduced(values, half), _reduced(weight, half))
    around = _enlarged(np.ascontiguousarray(coarse), (height, width))
    total_weight = (weight + np.float32(_SCARCE))[..., None]
    spread: Floats = (values + np.float32(_SCARCE) * around) / total_weight
    return spread


def _masked(sums: Floats, mask: Floats, levels: int) -> Floats:
    """Each band of a picture (H, W, 3) times the mask (H, W) smoothed to that band's scale.

    What is not in the mask has no part in the coarser bands either: these are of means weighted by the mask. `sums` is
    the picture times the mask.
    """
    height, width = mask.shape
    if levels == 0 or min(height, width) <= 2:
        return sums
    coarse, coarse_mask = cv2.pyrDown(sums), cv2.pyrDown(mask)
    means = coarse / np.maximum(coarse_mask, np.float32(1e-6))[..., None]
    finer: Floats = sums - mask[..., None] * cv2.pyrUp(means, dstsize=(width, height))
    finer += cv2.pyrUp(_masked(coarse, coarse_mask, levels - 1), dstsize=(width, height))
    return finer


def _relative(vectors: Floats, unit: float) -> Floats:
    """(h, w) mean square of the components of `vectors` (h, w, 3), in units of `unit`."""
    square: Floats = np.square(vectors / np.float32(unit)).mean(axis=2, dtype=np.float32)
    return square


def _grid(plane: Floats, cell: float) -> tuple[int, int]:
    """(width, height) of a grid of square cells about `cell` pixels wide."""
    height, width = plane.shape
    return max(1, round(width / cell)), max(1, round(height / cell))


def _reduced(picture: Floats, size: tuple[int, int]) -> Floats:
    """Means over the cells of a grid of `size` (width, height)."""
    means: Floats = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return means


def _enlarged(cells: Floats, size: tuple[int, ...]) -> Floats:
    """A grid's values at `size` (height, width), smoothly."""
    smooth: Floats = cv2.resize(cells, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    return smooth
