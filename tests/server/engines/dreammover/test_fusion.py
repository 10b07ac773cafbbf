"""Moving latents: sums are kept, winners are whole pixels, noise stays noise."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from tweenbridge_server.engines.dreammover.correspondence import Correspondence
from tweenbridge_server.engines.dreammover.fusion import fuse_clean, importance, splat_noise
from tweenbridge_server.engines.dreammover.splatting import gather_warp, splat_nearest, splat_sum


def random(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def still(height: int, width: int) -> Correspondence:
    zero, one = torch.zeros(2, height, width), torch.ones(height, width)
    return Correspondence(zero, zero, one, one)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), height=st.integers(3, 12), width=st.integers(3, 12))
def test_what_stays_inside_keeps_its_sum(seed: int, height: int, width: int) -> None:
    values = random(seed, 1, 2, height, width).double()
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    # Targets anywhere inside the picture, between pixels.
    share = torch.rand(2, height, width, generator=torch.Generator().manual_seed(seed)).double()
    flow = torch.stack([share[0] * (width - 1) - columns, share[1] * (height - 1) - rows])[None]
    assert torch.allclose(splat_sum(values, flow).sum((2, 3)), values.sum((2, 3)))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(2, 10))
def test_of_several_the_best_lands_whole(seed: int, size: int) -> None:
    values, score = random(seed, 1, 3, size, size), random(seed + 1, 1, 1, size, size)
    flow = random(seed + 2, 1, 2, size, size) * 2
    moved, best = splat_nearest(values, flow, score)
    expected: dict[tuple[int, int], tuple[float, int, int]] = {}
    for row in range(size):
        for column in range(size):
            x = int(torch.ceil(column + flow[0, 0, row, column] - 0.5))
            y = int(torch.ceil(row + flow[0, 1, row, column] - 0.5))
            here = (float(score[0, 0, row, column]), -row, -column)
            if 0 <= x < size and 0 <= y < size:
                expected[(y, x)] = max(expected.get((y, x), here), here)
    for y in range(size):
        for x in range(size):
            if (y, x) in expected:
                value, row, column = expected[(y, x)]
                assert torch.equal(moved[0, :, y, x], values[0, :, -row, -column])
                assert float(best[0, 0, y, x]) == pytest.approx(value)
            else:
                assert not moved[0, :, y, x].any()
                assert best[0, 0, y, x] == -torch.inf


def test_of_equals_the_first_wins_and_nothing_lands_from_nowhere() -> None:
    values = torch.tensor([[[[1.0, 2.0, 3.0]]]])
    flow = torch.tensor([[[[1.0, 0.0, torch.inf]], [[0.0, 0.0, 0.0]]]])
    moved, best = splat_nearest(values, flow, torch.zeros(1, 1, 1, 3))
    assert moved.flatten().tolist() == [0.0, 1.0, 0.0]
    assert torch.isneginf(best.flatten()).tolist() == [True, False, True]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), dx=st.integers(-3, 3), dy=st.integers(-3, 3))
def test_whole_vectors_gather_exactly(seed: int, dx: int, dy: int) -> None:
    values = random(seed, 1, 2, 8, 9)
    flow = torch.tensor([dx, dy]).float().reshape(1, 2, 1, 1).expand(1, 2, 8, 9)
    warped = gather_warp(values, flow)
    for row in range(8):
        for column in range(9):
            inside = 0 <= row + dy < 8 and 0 <= column + dx < 9
            expected = values[0, :, row + dy, column + dx] if inside else torch.zeros(2)
            assert torch.equal(warped[0, :, row, column], expected)


@pytest.mark.parametrize("t", [0.1, 0.5, 0.8])
def test_moved_noise_keeps_its_variance_where_a_mean_would_not(t: float) -> None:
    noise, clean = random(1, 2, 4, 64, 64), random(2, 2, 4, 64, 64)
    matches = Correspondence(random(3, 2, 64, 64) * 4, random(4, 2, 64, 64) * 4, torch.rand(64, 64), torch.rand(64, 64))
    moved = splat_noise(noise, matches, importance(clean, matches, True), t)
    assert float(moved.var()) == pytest.approx(1.0, abs=0.06)
    # Every value is one of the keyframes', none is new.
    assert torch.isin(moved, noise).all()


def test_without_motion_the_nearer_keyframes_noise_stays_where_it_is() -> None:
    noise, clean = random(1, 2, 4, 16, 16), random(2, 1, 4, 16, 16).expand(2, -1, -1, -1)
    counts = importance(clean, still(16, 16), True)
    assert torch.equal(splat_noise(noise, still(16, 16), counts, 0.3), noise[0])
    assert torch.equal(splat_noise(noise, still(16, 16), counts, 0.7), noise[1])


def test_still_keyframes_blend_by_time() -> None:
    clean = random(1, 1, 4, 16, 16).expand(2, -1, -1, -1).clone()
    clean[1] += 0.01
    fused = fuse_clean(clean, still(16, 16), importance(clean, still(16, 16), True), 0.25)
    assert torch.allclose(fused, clean[0] + 0.0025, atol=1e-5)


def test_a_moving_square_is_at_its_place_between_and_leaves_its_ground_behind() -> None:
    a, b = torch.zeros(4, 16, 16), torch.zeros(4, 16, 16)
    a[:, 4:8, 2:6], b[:, 4:8, 10:14] = 1.0, 1.0
    forward, backward = torch.zeros(2, 16, 16), torch.zeros(2, 16, 16)
    forward[0, 4:8, 2:6], backward[0, 4:8, 10:14] = 8.0, -8.0
    trust_a, trust_b = torch.ones(16, 16), torch.ones(16, 16)
    # The ground that the square hides in the other keyframe has no match there.
    trust_a[4:8, 10:14], trust_b[4:8, 2:6] = 0.0, 0.0
    clean, matches = torch.stack([a, b]), Correspondence(forward, backward, trust_a, trust_b)
    expected = torch.zeros(4, 16, 16)
    expected[:, 4:8, 6:10] = 1.0
    assert (fuse_clean(clean, matches, importance(clean, matches, True), 0.5) - expected).abs().max() < 0.1
    # The ground agrees with itself as well as the square does: without layers it shines through.
    assert (fuse_clean(clean, matches, importance(clean, matches, False), 0.5) - expected).abs().max() > 0.3
