"""Measures of in-betweens against the truth: pure functions on (H, W, 3) RGB uint8 frames and on flow fields.

PSNR; SSIM (Wang et al. 2004, Gaussian window of 11 px and 1.5 px); GMSD (Xue et al. 2014); HF, the luma energy outside
the central quarter of the spectrum, made / true; IEm, the root mean square error where something moves; TW, the error
along the exact flow from frame to frame; EPE, the length of the error of a flow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]
Plane = NDArray[np.floating[Any]]
Flow = NDArray[np.float32]
Mask = NDArray[np.bool_]

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_IDENTICAL = 99.0
_PEAK = 255.0


@dataclass(frozen=True)
class ExactFlow:
    """The true flow between two frames of a rendered clip.

    Attributes:
        flow: (H, W, 2).
        known: (H, W) where the layer of a pixel is known.
        visible: (H, W) where, besides, the pixel is seen in the other frame.
    """

    flow: Flow
    known: Mask
    visible: Mask


def luma(frame: Frame) -> Plane:
    """(H, W), 0 to 255."""
    return frame.astype(np.float32) @ _LUMA


def psnr(made: Frame, true: Frame) -> float:
    """Decibels; 99 for identical frames."""
    error = np.mean((made.astype(np.float32) - true.astype(np.float32)) ** 2)
    return _IDENTICAL if error == 0 else float(10 * np.log10(_PEAK**2 / error))


def ssim(made: Frame, true: Frame) -> float:
    """Mean structural similarity of luma, at most 1."""

    def window(plane: Plane) -> Plane:
        blurred: Plane = cv2.GaussianBlur(plane, (11, 11), 1.5)[5:-5, 5:-5]
        return blurred

    a, b = luma(made), luma(true)
    mean_a, mean_b = window(a), window(b)
    variance_a = window(a * a) - mean_a * mean_a
    variance_b = window(b * b) - mean_b * mean_b
    covariance = window(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * _PEAK) ** 2, (0.03 * _PEAK) ** 2
    likeness = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return float((likeness / ((mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2))).mean())


def gmsd(made: Frame, true: Frame) -> float:
    """Gradient magnitude similarity deviation at half size; 0 for identical frames."""
    prewitt = np.array([[1, 0, -1]] * 3, np.float32) / 3

    def gradient(frame: Frame) -> Plane:
        half = cv2.blur(luma(frame), (2, 2))[::2, ::2]
        steepness: Plane = np.sqrt(cv2.filter2D(half, -1, prewitt) ** 2 + cv2.filter2D(half, -1, prewitt.T) ** 2)
        return steepness

    a, b = gradient(made), gradient(true)
    return float(((2 * a * b + 170) / (a * a + b * b + 170)).std())


def high_frequencies(made: Frame, true: Frame) -> float:
    """Energy of fine detail, made / true: 1 is ideal, less is blur, more is artefacts."""
    return _fine_energy(made) / max(_fine_energy(true), 1e-9)


def _fine_energy(frame: Frame) -> float:
    energy = np.fft.fftshift(np.abs(np.fft.fft2(luma(frame))) ** 2)
    height, width = energy.shape
    energy[height // 4 : height // 4 + height // 2, width // 4 : width // 4 + width // 2] = 0
    return float(energy.sum())


def moving(first: Frame, last: Frame, true: Frame) -> Mask:
    """Where something moves among the keyframes and the true in-between."""
    pairs = ((first, last), (first, true), (last, true))
    change = np.max([cv2.blur(np.abs(luma(a) - luma(b)), (5, 5)) for a, b in pairs], axis=0)
    grown: Mask = cv2.dilate((change > 8).astype(np.uint8), np.ones((5, 5))) > 0
    return grown


def error_where_moving(made: Frame, true: Frame, mask: Mask) -> float:
    """Root mean square error within `mask`, 0 to 255; not a number where next to nothing moves."""
    if mask.sum() < 64:
        return float("nan")
    return float(np.sqrt(np.mean((made[mask].astype(np.float32) - true[mask].astype(np.float32)) ** 2)))


def exact_flow(
    from_homographies: Sequence[Plane], to_homographies: Sequence[Plane], from_layers: Frame, to_layers: Frame
) -> ExactFlow:
    """The flow between two times of a rendered clip.

    Args:
        from_homographies, to_homographies: of each layer at both times, (3, 3); layer 0 is the ground.
        from_layers, to_layers: (H, W) number of the topmost layer at both times, 255 where it is not known.
    """
    height, width = from_layers.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    places = np.stack([x, y, np.ones_like(x)]).reshape(3, -1)
    flow = np.zeros((height, width, 2), np.float32)
    for number, (start, end) in enumerate(zip(from_homographies, to_homographies)):
        moved = np.array(end) @ np.linalg.inv(np.array(start)) @ places
        there = (moved[:2] / moved[2]).reshape(2, height, width)
        own = from_layers == number
        if number == 0:
            own |= from_layers == 255
        flow[own] = np.stack([there[0] - x, there[1] - y], axis=-1)[own]
    to_x, to_y = x + flow[..., 0], y + flow[..., 1]
    inside = (to_x >= 0) & (to_x <= width - 1) & (to_y >= 0) & (to_y <= height - 1)
    row = np.clip(np.round(to_y), 0, height - 1).astype(int)
    column = np.clip(np.round(to_x), 0, width - 1).astype(int)
    known = from_layers != 255
    return ExactFlow(flow, known, known & inside & (to_layers[row, column] == from_layers))


def temporal_error(frames: Sequence[Frame], flows: Sequence[ExactFlow]) -> float:
    """Mean difference of every frame to the next one along the exact flow, 0 to 255, where it is visible in both."""
    errors = []
    for here, there, exact in zip(frames, frames[1:], flows):
        height, width = exact.known.shape
        x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        moved = cv2.remap(
            there.astype(np.float32),
            x + exact.flow[..., 0],
            y + exact.flow[..., 1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        errors.append(np.abs(moved - here).mean(axis=2)[exact.visible].mean())
    return float(np.mean(errors))


def flow_errors(flow: Flow, exact: ExactFlow) -> dict[str, float]:
    """EPE (where visible) and EPEocc (where hidden) in pixels, out3 the percentage of vectors off by more than 3 px."""
    error = np.sqrt(((flow - exact.flow) ** 2).sum(axis=2))
    hidden = exact.known & ~exact.visible
    return {
        "EPE": float(error[exact.visible].mean()),
        "EPEocc": float(error[hidden].mean()) if hidden.any() else float("nan"),
        "out3": float((error[exact.visible] > 3).mean() * 100),
    }
