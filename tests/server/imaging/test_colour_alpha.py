"""The shaper and alpha arithmetic: reversible, monotone, and kind to edges."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tweenbridge_server.imaging import alpha, colour

HALVES = np.arange(65536, dtype=np.uint16).view(np.float16)
FINITE_HALVES = HALVES[np.isfinite(HALVES)]

lights = arrays(np.float32, (8, 8, 3), elements=st.floats(-1e6, 1e6, width=32))
alphas = arrays(np.float32, (8, 8), elements=st.floats(0, 1, width=32))


def test_every_half_float_survives_the_shaper_exactly() -> None:
    assert np.array_equal(
        colour.unshape(colour.shape(FINITE_HALVES.astype(np.float32))).astype(np.float16), FINITE_HALVES
    )


def test_every_half_float_survives_with_every_kind_of_alpha() -> None:
    light = np.repeat(FINITE_HALVES.astype(np.float32)[None, :, None], 3, 2)
    for value in (0.0, 1e-6, 0.003, 0.5, 0.999, 1.0):
        coverage = np.full(light.shape[:2], value, np.float32)
        back = colour.unshape_premultiplied(colour.shape_premultiplied(light, coverage), coverage)
        within = np.abs(light) < 60000
        assert np.array_equal(back[within].astype(np.float16), light[within].astype(np.float16))


@given(lights)
def test_float32_comes_back_within_1e_5(light: np.ndarray) -> None:
    back = colour.unshape(colour.shape(light))
    assert np.all(np.abs(back - light) <= 1e-5 * np.abs(light))


@given(lights, alphas)
def test_float32_with_alpha_comes_back_within_1e_5(light: np.ndarray, coverage: np.ndarray) -> None:
    back = colour.unshape_premultiplied(colour.shape_premultiplied(light, coverage), coverage)
    assert np.all(np.abs(back - light) <= 1e-5 * np.abs(light) + 1e-42)


def test_the_shaper_rises_is_odd_and_puts_white_at_0_65() -> None:
    light = np.sort(FINITE_HALVES.astype(np.float32))
    shaped = colour.shape(light)
    assert np.all(np.diff(shaped) >= 0)
    assert np.array_equal(colour.shape(-light), -shaped)
    assert abs(float(colour.shape(np.float32([1.0]))[0]) - 0.65) < 1e-6
    assert 0.3 < float(colour.shape(np.float32([0.18]))[0]) < 0.5
    assert float(shaped.max()) < 3


def test_unshape_of_anything_is_finite() -> None:
    assert np.isfinite(colour.unshape(np.float32([1e3, -1e3, 1e38]))).all()


def test_an_edge_over_nothing_keeps_its_colour_when_resampled() -> None:
    """Half way between a white pixel and nothing lies half-covered white, not grey."""
    light = np.float32([[[1, 1, 1], [0, 0, 0]]])
    coverage = np.float32([[1, 0]])
    shaped = colour.shape_premultiplied(light, coverage)
    for weight in (0.5, 0.25, 0.1, 0.02):
        mixed = weight * shaped[:, :1] + (1 - weight) * shaped[:, 1:]
        light_back = colour.unshape_premultiplied(mixed, np.float32([[weight]]))
        assert np.all(np.abs(light_back - weight) < 0.02)


@given(
    arrays(np.float32, (1, 2, 3), elements=st.floats(0, 1000, width=32)),
    arrays(np.float32, (1, 2), elements=st.floats(0, 1, width=32)),
    st.floats(0, 1),
)
def test_mixing_pixels_makes_no_fireflies(light: np.ndarray, coverage: np.ndarray, weight: float) -> None:
    """Light without coverage beside covered pixels never mixes to a straight colour beyond both."""
    shaped = colour.shape_premultiplied(light, coverage)
    mixed = np.float32(weight) * shaped[:, :1] + np.float32(1 - weight) * shaped[:, 1:]
    mixed_alpha = np.float32(weight) * coverage[:, :1] + np.float32(1 - weight) * coverage[:, 1:]
    back = colour.unshape_premultiplied(mixed, mixed_alpha)
    effective = 1 / 256 + (1 - 1 / 256) * coverage[..., None]
    brightest = (light / effective).max()
    assert np.all(back <= brightest * (1 / 256 + (1 - 1 / 256) * mixed_alpha[..., None]) * 1.001 + 1e-6)


def test_srgb_and_back() -> None:
    display = np.linspace(0, 1, 65536, dtype=np.float32)
    assert np.abs(colour.to_display(colour.to_linear(display)) - display).max() < 2e-6
    assert abs(float(colour.to_display(np.float32([0.2140411]))[0]) - 0.5) < 1e-5
    assert np.allclose(colour.to_display(np.float32([-1, 7])), [0, 1], atol=1e-6)


@given(st.integers(1, 65535), st.integers(0, 65535))
@settings(max_examples=300)
def test_every_16_bit_colour_survives_premultiplication(coverage: int, level: int) -> None:
    image = np.full((1, 1, 3), level / np.float32(65535), np.float32)
    mask = np.full((1, 1), coverage / np.float32(65535), np.float32)
    alpha.premultiply(image, mask)
    alpha.unpremultiply(image, mask)
    assert np.all(np.rint(image * np.float32(65535)) == level)


def test_every_8_bit_colour_survives_premultiplication() -> None:
    level, coverage = np.meshgrid(np.arange(256), np.arange(1, 256))
    image = np.repeat((level / np.float32(255)).astype(np.float32)[..., None], 3, 2)
    mask = (coverage / np.float32(255)).astype(np.float32)
    alpha.premultiply(image, mask)
    alpha.unpremultiply(image, mask)
    assert np.array_equal(np.rint(image * 255)[..., 0], level)


def test_no_colour_under_zero_alpha() -> None:
    image = np.ones((2, 2, 3), np.float32)
    alpha.unpremultiply(image, np.float32([[0, -0.1], [1, 0.5]]))
    assert np.array_equal(image[0], np.zeros((2, 3)))
    assert np.array_equal(image[1], np.float32([[1, 1, 1], [2, 2, 2]]))


def test_an_opaque_picture_with_alpha() -> None:
    rgb = np.random.default_rng(0).random((3, 4, 3)).astype(np.float32)
    rgba = alpha.with_alpha(rgb)
    assert np.array_equal(rgba[..., :3], rgb)
    assert np.all(rgba[..., 3] == 1)
    assert alpha.with_alpha(rgba) is rgba
