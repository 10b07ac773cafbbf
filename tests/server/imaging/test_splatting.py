"""Softmax splatting against a direct transcription of the paper's sums."""

from __future__ import annotations

import numpy as np
import pytest
from tweenbridge_server.engines.optical_flow import kernels
from tweenbridge_server.imaging.splatting import Floats, softmax_splat


def by_the_book(values: Floats, flow: Floats, importance: Floats) -> tuple[Floats, Floats]:
    """Niklaus & Liu 2020, eq. 3, 4 and 7, pixel by pixel."""
    height, width, channels = values.shape
    sums, weights = np.zeros((height, width, channels)), np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            for to_y in range(height):
                for to_x in range(width):
                    u = np.array([to_x, to_y]) - (np.array([x, y]) + flow[y, x])
                    kernel = np.prod(np.maximum(0, 1 - np.abs(u))) * np.exp(importance[y, x])
                    sums[to_y, to_x] += kernel * values[y, x]
                    weights[to_y, to_x] += kernel
    return sums.astype(np.float32), weights.astype(np.float32)


@pytest.fixture
def scene() -> tuple[Floats, Floats, Floats]:
    random = np.random.default_rng(4)
    values = random.random((7, 9, 2)).astype(np.float32)
    flow = random.normal(0, 2, (7, 9, 2)).astype(np.float32)
    importance = random.normal(0, 2, (7, 9)).astype(np.float32)
    return values, flow, importance


def test_it_is_the_paper_s_sum(scene: tuple[Floats, Floats, Floats]) -> None:
    values, flow, importance = scene
    means, _ = softmax_splat(values, flow, importance)
    sums, weights = by_the_book(values, flow, importance)
    landed = weights > 1e-6
    assert landed.any()
    np.testing.assert_allclose(means[landed], (sums / np.maximum(weights, 1e-12)[..., None])[landed], atol=1e-3)


def test_only_differences_of_importance_count_and_large_ones_do_not_overflow(
    scene: tuple[Floats, Floats, Floats],
) -> None:
    values, flow, importance = scene
    means, coverage = softmax_splat(values, flow, importance)
    raised, same_coverage = softmax_splat(values, flow, importance + 800)
    np.testing.assert_allclose(means, raised, atol=1e-3)
    np.testing.assert_array_equal(coverage, same_coverage)


def test_the_more_important_of_two_wins_and_coverage_counts_both() -> None:
    values = np.array([[[0.0], [1.0], [0.0]]], np.float32)
    flow = np.zeros((1, 3, 2), np.float32)
    flow[0, 0, 0] = 1
    importance = np.array([[0.0, 10.0, 0.0]], np.float32)
    means, coverage = softmax_splat(values, flow, importance)
    assert means[0, 1, 0] == pytest.approx(1, abs=1e-3)
    assert coverage[0].tolist() == [0, 2, 1]


def test_the_compiled_kernel_agrees_and_does_not_depend_on_the_bands(scene: tuple[Floats, Floats, Floats]) -> None:
    _, flow, importance = scene
    confidence = np.ones((7, 9), np.float32)
    straight = np.zeros((1, 1, 2), np.float32)
    whole = np.zeros((7, 9, kernels.SPLAT_CHANNELS), np.float32)
    heavy = np.exp(importance)
    kernels.splat_tracks(flow, straight, confidence, importance, heavy, np.float32(1), 0, 0, whole)
    means, coverage = softmax_splat(flow, flow, importance)
    landed = whole[..., 6] > 1e-4
    assert landed.any()
    np.testing.assert_allclose(whole[landed][:, 2:4] / whole[landed][:, 6:7], means[landed], atol=1e-3)
    np.testing.assert_allclose(whole[..., 7], coverage, atol=1e-4)
    lower = np.zeros((3, 9, kernels.SPLAT_CHANNELS), np.float32)
    for rows in (slice(0, 2), slice(2, 7)):
        kernels.splat_tracks(
            flow[rows], straight, confidence[rows], importance[rows], heavy[rows], np.float32(1), rows.start, 4, lower
        )
    np.testing.assert_allclose(lower, whole[4:], rtol=1e-4, atol=1e-4)
