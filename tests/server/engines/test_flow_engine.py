"""The flow engine as its callers see it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures_in_motion import Image, disc_over, psnr, shifted, texture
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge_server.engines import registry
from tweenbridge_server.engines.base import Cancelled, Frame, Gap
from tweenbridge_server.engines.optical_flow.engine import FlowEngine
from tweenbridge_server.engines.optical_flow.fields import length

PROFILES = ("draft", "quality")


def ignore(fraction: float, stage: str) -> None:
    """Progress that nobody watches."""


def made(a: Image, b: Image, times: Sequence[float], profile: str) -> list[Frame]:
    return list(FlowEngine().interpolate(Gap(a, b), times, profile, {}, ignore))


def test_the_registry_makes_it_and_quality_is_its_default() -> None:
    engine = registry.create("flow")
    assert engine.info.name == "flow"
    assert [profile.name for profile in engine.info.profiles] == ["quality", "draft"]


@pytest.mark.parametrize("profile", PROFILES)
def test_frames_come_at_the_times_asked_for_in_order_with_the_shape_of_the_keyframes(profile: str) -> None:
    a = texture(90, 121)
    frames = made(a, shifted(a, 3, 0), [0.2, 0.5, 0.9], profile)
    assert [frame.t for frame in frames] == [0.2, 0.5, 0.9]
    for frame in frames:
        assert frame.pixels.shape == a.shape
        assert frame.pixels.dtype == np.float32
        assert frame.pixels.flags.c_contiguous


@pytest.mark.parametrize("profile", PROFILES)
def test_near_a_keyframe_the_in_between_is_that_keyframe(profile: str) -> None:
    a = texture(120, 160)
    b = shifted(a, 6, -3)
    first, last = made(a, b, [0.001, 0.999], profile)
    assert psnr(first.pixels, a) > 38
    assert psnr(last.pixels, b) > 38


@pytest.mark.parametrize(("profile", "pixels"), [("draft", 0.3), ("quality", 0.15)])
def test_a_shift_is_found_to_a_fraction_of_a_pixel(profile: str, pixels: float) -> None:
    big = texture(240, 320)
    dx, dy = 4.6, -2.3
    a, b = big[20:-20, 20:-20].copy(), shifted(big, dx, dy)[20:-20, 20:-20].copy()
    motion = FlowEngine().estimate_motion(Gap(a, b), profile)
    inner = (slice(30, -30), slice(30, -30))
    off = np.abs(motion.forward[inner] - (dx, dy)).mean()
    back = np.abs(motion.backward[inner] + (dx, dy)).mean()
    assert off < pixels
    assert back < pixels
    assert motion.confidence_a[inner].mean() > 0.9
    assert motion.confidence_a.min() >= 0
    assert motion.confidence_a.max() <= 1


@pytest.mark.parametrize("profile", PROFILES)
def test_the_half_way_frame_of_a_shift_is_the_half_shift(profile: str) -> None:
    big = texture(240, 320)
    cut = (slice(20, -20), slice(20, -20))
    a, half, b = (shifted(big, dx, 0)[cut].copy() for dx in (0, 4, 8))
    [frame] = made(a, b, [0.5], profile)
    assert psnr(frame.pixels[20:-20, 20:-20], half[20:-20, 20:-20]) > (34 if profile == "draft" else 40)


def test_a_disc_passes_in_front_of_the_ground_and_whole() -> None:
    ground, fill = texture(256, 384, 1) * 0.5, 1 - 0.3 * texture(256, 384, 2)
    a, half, b = (disc_over(ground, fill, x, 128, 40) for x in (110, 192, 274))
    [frame] = made(a, b, [0.5], "quality")
    middle = (slice(95, 161), slice(160, 224))
    assert psnr(frame.pixels[middle], half[middle]) > 26
    where_it_was = (slice(100, 156), slice(90, 130))
    assert psnr(frame.pixels[where_it_was], half[where_it_was]) > 25


@pytest.mark.parametrize("seed", range(4))
def test_a_disc_passes_over_a_ground_of_which_much_leaves_the_frame(seed: int) -> None:
    large, fill = texture(400, 520, seed) * np.float32(0.6), 0.4 + 0.6 * texture(216, 288, seed + 100)
    a, half, b = (
        disc_over(shifted(large, -100 - 50 * t, -100 + 20 * t)[:216, :288], fill, 110 + 60 * t, 105, 30)
        for t in (0.0, 0.5, 1.0)
    )
    [frame] = made(a, b, [0.5], "quality")
    # Taken for a motion without layers, half of these come to 33 dB and less.
    assert psnr(frame.pixels, half) > 37


def test_a_turning_disc_keeps_its_size() -> None:
    ground, fill = np.full((256, 256, 3), 0.2, np.float32), texture(256, 256, 3)

    def turned(degrees: float) -> Image:
        matrix = cv2.getRotationMatrix2D((128, 128), degrees, 1.0)
        return disc_over(ground, np.ascontiguousarray(cv2.warpAffine(fill, matrix, (256, 256))), 128, 128, 60)

    [frame] = made(turned(0), turned(40), [0.5], "quality")
    area = float((np.abs(frame.pixels - 0.2).sum(axis=2) > 0.1).mean())
    true_area = float((np.abs(turned(20) - 0.2).sum(axis=2) > 0.1).mean())
    assert area == pytest.approx(true_area, rel=0.05)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_sprite_on_nothing_is_followed_and_does_not_bleed(profile: str) -> None:
    """Black line art: premultiplied, its colour is nothing everywhere, and only alpha tells it from the ground."""

    def sprite(x: int) -> Image:
        picture = np.zeros((160, 240, 4), np.float32)
        mask = np.zeros((160, 240), np.float32)
        cv2.circle(mask, (x, 80), 30, 1.0, 5, cv2.LINE_AA)
        cv2.line(mask, (x - 20, 80), (x + 20, 90), 1.0, 4, cv2.LINE_AA)
        picture[..., 3] = mask
        return picture

    [frame] = made(sprite(100), sprite(112), [0.5], profile)
    assert frame.pixels.shape == (160, 240, 4)
    assert np.abs(frame.pixels[..., :3]).max() < 1e-4
    assert psnr(frame.pixels[..., 3], sprite(106)[..., 3]) > 20
    assert np.abs(frame.pixels[:, :40, 3]).max() < 0.02


@pytest.mark.parametrize("profile", PROFILES)
def test_values_above_one_survive(profile: str) -> None:
    a = texture(120, 160) * 1.6
    assert a.max() > 1.3
    [frame] = made(a, shifted(a, 4, 0), [0.5], profile)
    assert frame.pixels.max() > 1.3
    assert psnr(frame.pixels[20:-20, 20:-20], shifted(a, 2, 0)[20:-20, 20:-20]) > 30


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    channels=st.sampled_from([3, 4]),
    profile=st.sampled_from(PROFILES),
    seed=st.integers(0, 3),
)
def test_any_size_gives_a_finite_frame_of_that_size(
    height: int, width: int, channels: int, profile: str, seed: int
) -> None:
    random = np.random.default_rng(seed)
    a, b = (random.random((height, width, channels), dtype=np.float32) for _ in range(2))
    [frame] = made(a, b, [0.3], profile)
    assert frame.pixels.shape == a.shape
    assert np.isfinite(frame.pixels).all()
    assert frame.pixels.min() > -0.6
    assert frame.pixels.max() < 1.6


@pytest.mark.parametrize("profile", PROFILES)
def test_a_single_pixel_cross_fades(profile: str) -> None:
    a, b = np.zeros((1, 1, 3), np.float32), np.ones((1, 1, 3), np.float32)
    [frame] = made(a, b, [0.25], profile)
    assert frame.pixels[0, 0, 0] == pytest.approx(0.25, abs=0.15)


@pytest.mark.parametrize("profile", PROFILES)
def test_the_same_gap_gives_the_same_bits(profile: str) -> None:
    a = texture(100, 140)
    b = disc_over(shifted(a, 3, 1), texture(100, 140, 5), 90, 50, 20)
    for one, other in zip(made(a, b, [0.4, 0.6], profile), made(a, b, [0.4, 0.6], profile)):
        assert np.array_equal(one.pixels, other.pixels)


@pytest.mark.parametrize("profile", PROFILES)
def test_identical_keyframes_give_themselves(profile: str) -> None:
    a = texture(50, 60)
    for frame in made(a, a.copy(), [0.25, 0.75], profile):
        assert np.array_equal(frame.pixels, a)


@pytest.mark.parametrize("profile", PROFILES)
def test_it_stops_between_steps_when_cancelled(profile: str) -> None:
    a = texture(60, 80)
    asked: list[float] = []
    stages: list[str] = []

    def cancel_at_the_second_frame(fraction: float, stage: str) -> None:
        asked.append(fraction)
        stages.append(stage)
        if stages.count("drawing in-betweens") == 2:
            raise Cancelled

    frames = FlowEngine().interpolate(
        Gap(a, shifted(a, 2, 0)), [0.2, 0.5, 0.8], profile, {}, cancel_at_the_second_frame
    )
    assert next(frames).t == 0.2
    with pytest.raises(Cancelled):
        next(frames)
    assert asked == sorted(asked)


def test_what_it_does_not_know_is_refused() -> None:
    a = texture(20, 20)
    with pytest.raises(TweenbridgeError) as refused:
        FlowEngine().interpolate(Gap(a, a), [0.5], "ultra", {}, ignore)
    assert refused.value.info.code is ErrorCode.BAD_REQUEST
    with pytest.raises(TweenbridgeError):
        FlowEngine().interpolate(Gap(a, a), [0.5], "draft", {"speed": 3}, ignore)


def test_draft_needs_no_compiler_and_nothing_needs_torch() -> None:
    """A cold start has no time to import numba for a draft."""
    program = (
        "import sys, numpy as np\n"
        "from tweenbridge_server.engines.base import Gap\n"
        "from tweenbridge_server.engines.optical_flow.engine import FlowEngine\n"
        "a = np.random.default_rng(0).random((40, 50, 3), dtype=np.float32)\n"
        "list(FlowEngine().interpolate(Gap(a, a[::-1].copy()), [0.5], 'draft', {}, lambda f, s: None))\n"
        "assert 'numba' not in sys.modules\n"
        "list(FlowEngine().interpolate(Gap(a, a[::-1].copy()), [0.5], 'quality', {}, lambda f, s: None))\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_lengths_do_not_depend_on_where_a_field_lies_in_memory() -> None:
    """A frame that is made again, by another worker, must have the same bytes."""
    field = np.random.default_rng(5).normal(0, 9, (37, 53, 2)).astype(np.float32)
    room = np.empty(field.size + 16, np.float32)
    expected = length(field)
    for offset in range(16):
        moved = room[offset : offset + field.size].reshape(field.shape)
        moved[...] = field
        assert np.array_equal(length(moved), expected)
