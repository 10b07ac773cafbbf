"""Keyframes of different light: a place that only one of them shows gets the light of the in-between's time."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pictures_in_motion import Image, disc_over, psnr, shifted, texture
from tweenbridge_server.engines.base import Gap
from tweenbridge_server.engines.optical_flow.engine import FlowEngine
from tweenbridge_server.engines.optical_flow.exposure import even
from tweenbridge_server.engines.optical_flow.light import Light, relight
from tweenbridge_server.engines.optical_flow.synthesise import Ways

HEIGHT, WIDTH = 216, 288
RADIUS = 30


def dusk(t: float, deep: float) -> Image:
    """(1, W, 3) what is left of every colour at time t: least at the right, and of the blue."""
    across = np.linspace(0.5, 1.5, WIDTH, dtype=np.float32)[None, :, None]
    return np.float32(1) - np.float32(t * deep) * across * np.array([0.6, 0.8, 1.0], np.float32)


def scene(t: float, seed: int, deep: float) -> Image:
    """A disc that moves over a still ground, in light that falls by `deep` until t = 1."""
    ground, fill = texture(HEIGHT, WIDTH, seed), texture(HEIGHT, WIDTH, seed + 100)
    moved = disc_over(ground * np.float32(0.6), np.float32(0.4) + fill * np.float32(0.6), 110 + 60 * t, 105, RADIUS)
    return np.ascontiguousarray(moved * dusk(t, deep))


def gap(seed: int, deep: float) -> Gap:
    return Gap(scene(0.0, seed, deep), scene(1.0, seed, deep))


def patches() -> NDArray[np.bool_]:
    """(H, W) at t = 0.5: the ground that the disc hides in one of the keyframes, but for edges."""
    found = np.zeros((HEIGHT, WIDTH), np.uint8)
    for x in (110, 170):
        cv2.circle(found, (x, 105), RADIUS - 4, 1, cv2.FILLED)
    cv2.circle(found, (140, 105), RADIUS + 4, 0, cv2.FILLED)
    return found > 0


@pytest.mark.parametrize(("deep", "wanted"), [(0.05, 46.0), (0.15, 37.0), (0.3, 30.0)])
def test_uncovered_ground_has_the_light_around_it(deep: float, wanted: float, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(2):
        guide, truth = FlowEngine().guide(gap(seed, deep)), scene(0.5, seed, deep)
        drawing, trust = guide.in_between(0.5)
        with monkeypatch.context() as patch:
            patch.setattr(Light, "change", lambda self, ways, t: None)
            plain, _ = guide.in_between(0.5)
        reached = psnr(drawing[patches()], truth[patches()])
        assert reached > wanted
        assert reached > psnr(plain[patches()], truth[patches()]) + 2
        # Ground that is seen in both, and differs in nothing but its light, is believed.
        assert trust[20:-20, 20:60].mean() > 0.8


@pytest.mark.parametrize("profile", ["quality", "draft"])
@pytest.mark.parametrize("deep", [0.15, 0.3])
def test_motion_is_found_though_the_light_falls(profile: str, deep: float) -> None:
    motion = FlowEngine().estimate_motion(gap(0, deep), profile)
    ground, disc = motion.forward[150:200, 30:260], motion.forward[95:115, 100:120]
    assert np.abs(np.median(ground, axis=(0, 1))).max() < 0.5
    # So large a motion is beyond a draft.
    assert profile == "draft" or np.abs(np.median(disc, axis=(0, 1)) - (60, 0)).max() < 2


@pytest.mark.parametrize("deep", [0.15, 0.3])
def test_motion_is_found_though_the_camera_moves_and_the_light_falls(deep: float) -> None:
    large = texture(400, 520)
    # Where it is dark, ratios of light are noise.
    large[:, 300:] *= np.float32(0.06)

    def seen(t: float) -> Image:
        ground = shifted(large, -100 - 50 * t, -100 + 20 * t)[:HEIGHT, :WIDTH] * np.float32(0.6)
        fill = np.float32(0.4) + texture(HEIGHT, WIDTH, 9) * np.float32(0.6)
        return np.ascontiguousarray(disc_over(ground, fill, 110 + 60 * t, 105, RADIUS) * dusk(t, deep))

    drawing = FlowEngine().guide(Gap(seen(0.0), seen(1.0))).drawing(0.5)
    inside = (slice(None), slice(30, -60))
    # Where motion is lost it is 17.
    assert psnr(drawing[inside], seen(0.5)[inside]) > 23


@pytest.mark.parametrize("profile", ["quality", "draft"])
def test_where_light_is_the_same_nothing_changes(profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    guide = FlowEngine().guide(gap(1, 0.0), profile)
    drawing = guide.drawing(0.5)
    monkeypatch.setattr(Light, "change", lambda self, ways, t: None)
    assert np.abs(drawing - guide.drawing(0.5)).max() < 0.01


def as_bytes(picture: Image) -> NDArray[np.uint8]:
    return (np.clip(picture, 0, 1) * np.float32(255) + np.float32(0.5)).astype(np.uint8)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), deep=st.floats(0.05, 0.3))
def test_keyframes_are_brought_into_the_same_light(seed: int, deep: float) -> None:
    a, b = as_bytes(scene(0.0, seed, deep)), as_bytes(scene(1.0, seed, deep))
    same_light = as_bytes(scene(1.0, seed, 0.0))
    off = np.abs(even(a, b).astype(float) - same_light)
    assert off.mean() < 3
    assert off.mean() < np.abs(b.astype(float) - same_light).mean() / 2


@settings(max_examples=25, deadline=None)
@given(height=st.integers(1, 90), width=st.integers(1, 90), seed=st.integers(0, 1000))
def test_keyframes_that_have_nothing_in_common_stay_as_they_are(height: int, width: int, seed: int) -> None:
    a, b = as_bytes(texture(height, width, seed)), as_bytes(texture(height, width, seed + 1)[::-1])
    assert np.array_equal(even(a, b), b)


@settings(max_examples=15, deadline=None)
@given(dx=st.integers(-40, 40), dy=st.integers(-30, 30))
def test_a_camera_that_moves_is_no_change_of_light(dx: int, dy: int) -> None:
    large = cv2.resize(texture(40, 50, 3), (500, 400), interpolation=cv2.INTER_CUBIC)
    a, b = as_bytes(large[50:250, 100:350]), as_bytes(large[50 + dy : 250 + dy, 100 + dx : 350 + dx])
    assert np.abs(even(a, b).astype(float) - b).mean() < 2


def test_a_thing_of_another_colour_is_no_light() -> None:
    """A square whose colour turns leaves the ground's light, which stays, as it is."""
    a = texture(HEIGHT, WIDTH) * np.float32(0.7)
    b = a.copy()
    b[80:130, 100:150] = b[80:130, 100:150] * np.array([0.2, 1.4, 0.6], np.float32)
    still = np.zeros((HEIGHT, WIDTH, 2), np.float32)
    sure = np.ones((HEIGHT, WIDTH), np.float32)
    change = Light(Gap(a, b)).change(Ways(still, still, sure * np.float32(0.5), sure), 0.5)
    assert change is None or np.abs(change[:, -8:]).max() < 0.01


def test_a_share_as_time_wants_it_is_not_touched_and_alpha_never_is() -> None:
    random = np.random.default_rng(0)
    picture = random.random((20, 30, 4), dtype=np.float32)
    lit = picture.copy()
    relight(lit, np.full((20, 30), 0.75, np.float32), np.ones((20, 30, 4), np.float32), 0.25)
    assert np.array_equal(lit, picture)
    relight(lit, np.ones((20, 30), np.float32), np.full((20, 30, 4), 0.2, np.float32), 0.25)
    assert np.array_equal(lit[..., 3], picture[..., 3])
    assert np.allclose(lit[..., :3], picture[..., :3] + 0.05 * picture[..., 3:])


def test_transparent_ground_stays_transparent() -> None:
    """Sprites on nothing, dimmed: their light changes, nothing appears beside them."""
    cover = np.zeros((HEIGHT, WIDTH), np.float32)
    cv2.circle(cover, (140, 105), 40, 1.0, cv2.FILLED, cv2.LINE_AA)
    colour = np.float32(0.3) + np.float32(0.5) * texture(HEIGHT, WIDTH)
    whole = np.dstack([colour * cover[..., None], cover])
    dim = np.dstack([whole[..., :3] * np.float32(0.5), cover])
    made = FlowEngine().guide(Gap(shifted(whole, -10, 0), shifted(dim, 10, 0))).drawing(0.5)
    beside = made[:, :60]
    assert np.abs(beside).max() < 0.02
