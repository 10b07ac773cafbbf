"""What the flow engine tells other engines: the drawing at any time, and how far to believe each of its pixels."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures_in_motion import Image, disc_over, shifted, texture
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge_server.engines.base import Cancelled, Gap
from tweenbridge_server.engines.optical_flow.engine import FlowEngine

PROFILES = ("draft", "quality")

CLIPS = Path(__file__).parents[4] / "shared" / "eval" / "clips"
SHOWN = ("proc_trans/00_448x256", "proc_occl/06_448x256", "proc_alpha/11_448x256", "cartoon_large/bbb_rabbit")


@pytest.mark.parametrize("profile", PROFILES)
def test_its_drawings_are_those_of_the_engine(profile: str) -> None:
    a = texture(100, 140)
    gap = Gap(a, disc_over(shifted(a, 3, 1), texture(100, 140, 5), 90, 50, 20))
    guide = FlowEngine().guide(gap, profile)
    frames = FlowEngine().interpolate(gap, [0.25, 0.6], profile, {}, lambda fraction, stage: None)
    for frame in frames:
        drawing, trust = guide.in_between(frame.t)
        assert np.array_equal(drawing, frame.pixels)
        assert trust.shape == a.shape[:2]
        assert trust.dtype == np.float32
        again, same = guide.in_between(frame.t)
        assert np.array_equal(again, drawing)
        assert np.array_equal(same, trust)


@pytest.mark.parametrize("profile", PROFILES)
def test_its_motion_is_that_of_the_engine(profile: str) -> None:
    a = texture(90, 120)
    gap = Gap(a, shifted(a, 4, -2))
    motion, direct = FlowEngine().guide(gap, profile).motion(), FlowEngine().estimate_motion(gap, profile)
    for name in ("forward", "backward", "confidence_a", "confidence_b"):
        assert np.array_equal(getattr(motion, name), getattr(direct, name))
    assert motion.forward.shape == (90, 120, 2)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_plain_shift_is_trusted(profile: str) -> None:
    big = texture(240, 320)
    cut = (slice(20, -20), slice(20, -20))
    gap = Gap(big[cut].copy(), shifted(big, 6, 2)[cut].copy())
    _, trust = FlowEngine().guide(gap, profile).in_between(0.5)
    assert trust[20:-20, 20:-20].mean() > 0.9


@pytest.mark.parametrize("profile", PROFILES)
def test_identical_keyframes_are_trusted_wholly(profile: str) -> None:
    a = texture(80, 100)
    drawing, trust = FlowEngine().guide(Gap(a, a.copy()), profile).in_between(0.3)
    assert np.abs(drawing - a).max() < 0.01
    assert trust.min() > 0.9


@pytest.mark.parametrize("profile", PROFILES)
def test_what_appears_from_nowhere_is_not_trusted_and_its_surroundings_are(profile: str) -> None:
    ground = texture(200, 260) * 0.5
    gap = Gap(ground, disc_over(shifted(ground, 3, 0), 1 - 0.3 * texture(200, 260, 2), 130, 100, 35))
    _, trust = FlowEngine().guide(gap, profile).in_between(0.5)
    inside = np.zeros((200, 260), np.uint8)
    cv2.circle(inside, (130, 100), 25, 1, -1)
    assert trust[inside > 0].mean() < 0.2
    assert trust[:, :60].mean() > 0.8
    assert trust[:, 200:].mean() > 0.8


@pytest.mark.parametrize(("profile", "believed", "times_worse"), [("quality", 0.04, 3.0), ("draft", 0.07, 3.0)])
def test_on_known_truth_it_tells_right_from_wrong(profile: str, believed: float, times_worse: float) -> None:
    if not CLIPS.is_dir():
        pytest.skip("The evaluation clips are not beside the checkout.")
    errors, trusts = [], []
    for name in SHOWN:
        first, truth, last = (_read(CLIPS / name / file) for file in ("in0.png", "gt_0500.png", "in1.png"))
        drawing, trust = FlowEngine().guide(Gap(first, last), profile).in_between(0.5)
        errors.append(np.square(drawing - truth).mean(axis=2).ravel())
        trusts.append(trust.ravel())
    error, trust = np.concatenate(errors), np.concatenate(trusts)
    right, wrong = trust > 0.8, trust < 0.3
    assert right.mean() > 0.5
    assert np.sqrt(error[right].mean()) < believed
    assert np.sqrt(error[wrong].mean()) > times_worse * np.sqrt(error[right].mean())


def _read(file: Path) -> Image:
    picture = cv2.imread(str(file))
    assert picture is not None
    return np.ascontiguousarray(picture[..., ::-1], np.float32) / np.float32(255)


@settings(max_examples=15, deadline=None)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    channels=st.sampled_from([3, 4]),
    profile=st.sampled_from(PROFILES),
    t=st.floats(0.01, 0.99),
)
def test_any_size_has_a_trust_between_nothing_and_all(
    height: int, width: int, channels: int, profile: str, t: float
) -> None:
    random = np.random.default_rng(height * width)
    a, b = (random.random((height, width, channels), dtype=np.float32) for _ in range(2))
    drawing, trust = FlowEngine().guide(Gap(a, b), profile).in_between(t)
    assert drawing.shape == a.shape
    assert trust.shape == (height, width)
    assert np.isfinite(trust).all()
    assert trust.min() >= 0
    assert trust.max() <= 1


def test_it_reports_and_can_be_cancelled() -> None:
    a = texture(60, 80)

    def cancel(fraction: float, stage: str) -> None:
        assert 0 <= fraction <= 1
        raise Cancelled

    with pytest.raises(Cancelled):
        FlowEngine().guide(Gap(a, shifted(a, 2, 0)), "quality", cancel)


def test_a_profile_it_does_not_have_is_refused() -> None:
    a = texture(20, 20)
    with pytest.raises(TweenbridgeError) as refused:
        FlowEngine().guide(Gap(a, a), "ultra")
    assert refused.value.info.code is ErrorCode.BAD_REQUEST
