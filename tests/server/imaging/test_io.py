"""Keyframes in, results out: exactness, tags, windows, orientation, conversions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from stills import NAME, Samples, gradient, load, save
from tweenbridge.pixels import FILE_SUFFIX, Alpha, Colour, Encoding, PixelFormat, SampleType
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge_server.imaging import io

LOSSLESS = [
    *((Encoding.PNG, dtype, channels) for dtype in ("uint8", "uint16") for channels in (1, 2, 3, 4)),
    *((Encoding.TIFF, dtype.value, channels) for dtype in SampleType for channels in (1, 3, 4)),
    *((Encoding.EXR, dtype, channels) for dtype in ("float16", "float32") for channels in (1, 2, 3, 4)),
]


def round_trip(folder: Path, encoding: Encoding, samples: Samples, **how: Any) -> tuple[io.Still, Samples]:
    source = save(folder / f"in{FILE_SUFFIX[encoding]}", encoding, samples, **how)
    still = io.read(source, PixelFormat(encoding), NAME)
    target = folder / f"out{FILE_SUFFIX[encoding]}"
    written = io.write(target, still.pixels, still)
    assert written == still.format == io.probe(source, PixelFormat(encoding))
    assert io.probe(target, written) == written
    return still, load(target)[0]


@pytest.mark.parametrize(("encoding", "dtype", "channels"), LOSSLESS)
def test_a_keyframe_written_back_has_the_same_samples(
    tmp_path: Path, encoding: Encoding, dtype: str, channels: int
) -> None:
    samples = gradient(70, 90, channels, dtype)
    still, back = round_trip(tmp_path, encoding, samples)
    assert still.pixels.dtype == np.float32
    assert still.pixels.flags.c_contiguous
    assert still.pixels.shape == (70, 90, 4 if channels in (2, 4) else 3)
    assert (still.format.width, still.format.height, still.format.channels) == (90, 70, channels)
    assert back.dtype == samples.dtype
    if dtype == "float32":
        assert np.all(np.abs(back - samples) <= 1e-5 * np.abs(samples))
    else:
        assert np.array_equal(back, samples)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_straight_colour_is_exact_wherever_there_is_any_alpha(tmp_path: Path, dtype: str) -> None:
    top = np.iinfo(dtype).max
    samples = np.random.default_rng(3).integers(0, top + 1, (64, 64, 4)).astype(dtype)
    samples[:8, :, 3] = 0
    samples[8:16, :, 3] = 1
    for encoding in (Encoding.PNG, Encoding.TIFF):
        _, back = round_trip(tmp_path, encoding, samples, straight=True)
        covered = samples[..., 3] > 0
        assert np.array_equal(back[covered], samples[covered])
        assert not back[~covered].any()


@given(
    arrays(np.float16, (6, 5, 4), elements=st.floats(-60000, 60000, width=16), unique=False),
    arrays(np.float16, (6, 5), elements=st.floats(0, 1, width=16)),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_half_floats_survive_with_values_above_1_below_0_and_light_without_alpha(
    tmp_path: Path, samples: Samples, alpha: Samples
) -> None:
    samples[..., 3] = alpha
    _, back = round_trip(tmp_path, Encoding.EXR, samples)
    assert np.array_equal(back, samples)


@given(arrays(np.float32, (6, 5, 3), elements=st.floats(-1e6, 1e6, width=32)))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_float32_survives_within_1e_5(tmp_path: Path, samples: Samples) -> None:
    for encoding in (Encoding.EXR, Encoding.TIFF):
        _, back = round_trip(tmp_path, encoding, samples)
        assert np.all(np.abs(back - samples) <= 1e-5 * np.abs(samples))


@given(arrays(np.uint16, (5, 4, 4)))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_16_bit_picture_survives(tmp_path: Path, samples: Samples) -> None:
    samples[samples[..., 3] == 0] = 0
    _, back = round_trip(tmp_path, Encoding.PNG, samples)
    assert np.array_equal(back, samples)


def test_jpeg_comes_back_close_and_without_colour_subsampling(tmp_path: Path) -> None:
    samples = gradient(64, 80, 3, "uint8")
    still, back = round_trip(tmp_path, Encoding.JPEG, samples, compression="jpeg:95")
    seen = np.rint(still.pixels * 255)
    assert np.abs(back - seen).mean() < 1.0
    spec = load(tmp_path / "out.jpg")[1]
    assert spec.get_string_attribute("jpeg:subsampling") == "4:4:4"


def test_grey_is_seen_as_equal_red_green_and_blue(tmp_path: Path) -> None:
    still, _ = round_trip(tmp_path, Encoding.PNG, gradient(20, 30, 1, "uint8"))
    assert np.array_equal(still.pixels[..., 0], still.pixels[..., 2])


@pytest.mark.parametrize("dtype", list(SampleType))
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_raw_rows(tmp_path: Path, dtype: SampleType, channels: int) -> None:
    samples = gradient(20, 30, channels, dtype.value)
    path = tmp_path / "in.raw"
    samples.tofile(path)
    claim = PixelFormat(Encoding.RAW, 30, 20, channels, dtype)
    still = io.read(path, claim, NAME)
    assert io.write(tmp_path / "out.raw", still.pixels, still) == still.format
    back = np.fromfile(tmp_path / "out.raw", dtype.value).reshape(samples.shape)
    assert (
        np.allclose(back, samples, rtol=1e-5, atol=0) if dtype is SampleType.FLOAT32 else np.array_equal(back, samples)
    )
    is_float = "float" in dtype.value
    assert still.format.colour is (Colour.SCENE_LINEAR if is_float else Colour.DISPLAY)
    assert still.format.alpha is (Alpha.PREMULTIPLIED if is_float else Alpha.STRAIGHT)


def test_display_floats_are_not_shaped(tmp_path: Path) -> None:
    samples = gradient(20, 30, 3, "float32")
    path = tmp_path / "in.raw"
    samples.tofile(path)
    still = io.read(path, PixelFormat(Encoding.RAW, 30, 20, 3, SampleType.FLOAT32, Colour.DISPLAY), NAME)
    assert np.array_equal(still.pixels, samples)


def test_rounding_clipping_and_what_is_not_a_number(tmp_path: Path) -> None:
    still = io.read(save(tmp_path / "a.png", Encoding.PNG, gradient(1, 6, 3, "uint8")), PixelFormat(Encoding.PNG), NAME)
    levels = np.float32([-0.5, 0.5019, 0.5021, 1.7, np.nan, np.inf])
    io.write(tmp_path / "b.png", np.repeat(levels[None, :, None], 3, 2), still)
    assert load(tmp_path / "b.png")[0][0, :, 0].tolist() == [0, 128, 128, 255, 0, 255]


def test_overshoot_at_an_edge_gives_no_negative_light(tmp_path: Path) -> None:
    samples = np.float16([[[1, 1, 1, 1], [0, 0, 0, 0], [0.2, 0.2, 0.2, 0.5]]])
    still = io.read(save(tmp_path / "a.exr", Encoding.EXR, samples), PixelFormat(Encoding.EXR), NAME)
    overshoot = np.float32([[[0.7, 0.7, 0.7, 1.06], [-0.05, -0.05, -0.05, -0.06], [-1e-3, 0, 0, 1e-3]]])
    io.write(tmp_path / "b.exr", overshoot, still)
    back = load(tmp_path / "b.exr")[0][0].astype(float)
    assert back[0, 3] == 1
    assert back[1].tolist() == [0, 0, 0, 0]
    assert back[2, :3].tolist() == [0, 0, 0]


def test_half_results_stay_finite(tmp_path: Path) -> None:
    still = io.read(
        save(tmp_path / "a.exr", Encoding.EXR, gradient(1, 3, 3, "float16")), PixelFormat(Encoding.EXR), NAME
    )
    io.write(tmp_path / "b.exr", np.float32([[[9, 9, 9], [-9, -9, -9], [np.inf, np.nan, 0.65]]]), still)
    back = load(tmp_path / "b.exr")[0]
    assert np.isfinite(back).all()
    assert back[0, 0, 0] == 65504
    assert back[0, 2, 2] == 1


def test_nan_and_infinity_in_a_keyframe_are_replaced(tmp_path: Path) -> None:
    samples = gradient(4, 4, 4, "float16")
    samples[0, 0], samples[1, 1, 0], samples[2, 2, 0] = np.nan, np.inf, -np.inf
    still, back = round_trip(tmp_path, Encoding.EXR, samples)
    assert np.isfinite(still.pixels).all()
    assert back[0, 0].tolist() == [0, 0, 0, 0]
    assert back[1, 1, 0] == 65504


# ---------------------------------------------------------------- tags, windows, orientation


def test_png_tags_are_kept(tmp_path: Path) -> None:
    path = save(
        tmp_path / "a.png", Encoding.PNG, gradient(8, 8, 4, "uint16"), XResolution=300.0, YResolution=300.0,
        ResolutionUnit="in", Artist="Ada", DateTime="2024:02:03 04:05:06",
    )  # fmt: skip
    still = io.read(path, PixelFormat(Encoding.PNG), NAME)
    io.write(tmp_path / "b.png", still.pixels, still)
    spec = load(tmp_path / "b.png")[1]
    assert spec.get_float_attribute("XResolution") == pytest.approx(300, abs=0.1)
    assert spec.get_string_attribute("Artist") == "Ada"
    assert spec.get_string_attribute("DateTime") == "2024:02:03 04:05:06"


@pytest.mark.parametrize("encoding", [Encoding.PNG, Encoding.JPEG, Encoding.TIFF])
def test_icc_profiles_are_kept(tmp_path: Path, encoding: Encoding) -> None:
    image_cms = pytest.importorskip("PIL.ImageCms", reason="Pillow makes the profile for this test")
    from PIL import Image

    profile = image_cms.ImageCmsProfile(image_cms.createProfile("sRGB")).tobytes()
    path = tmp_path / f"a{FILE_SUFFIX[encoding]}"
    Image.fromarray(gradient(8, 8, 3, "uint8")).save(path, icc_profile=profile)
    still = io.read(path, PixelFormat(encoding), NAME)
    io.write(tmp_path / "b", still.pixels, still)
    assert Image.open(tmp_path / "b").info["icc_profile"] == profile


def test_exr_attributes_compression_and_channel_names_are_kept(tmp_path: Path) -> None:
    samples = gradient(8, 9, 3, "float16")
    spec = oiio.ImageSpec(9, 8, 3, "half")
    spec.channelnames = ("diffuse.R", "diffuse.G", "diffuse.B")
    spec.attribute("smpte:TimeCode", oiio.TypeTimeCode, (18356486, 7))
    spec.attribute("framesPerSecond", oiio.TypeRational, (24000, 1001))
    spec.attribute("worldToCamera", oiio.TypeMatrix, tuple(float(n) for n in range(16)))
    chromaticities = (0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329)
    spec.attribute("chromaticities", oiio.TypeDesc("float[8]"), chromaticities)
    spec["compression"], spec["PixelAspectRatio"], spec["owner"] = "piz", 2.0, "Ada"
    writer = oiio.ImageOutput.create("openexr")
    assert writer and writer.open(str(tmp_path / "a.exr"), spec) and writer.write_image(samples) and writer.close()
    still = io.read(tmp_path / "a.exr", PixelFormat(Encoding.EXR), NAME)
    io.write(tmp_path / "b.exr", still.pixels, still)
    before, after = load(tmp_path / "a.exr")[1], load(tmp_path / "b.exr")[1]
    assert after.channelnames == before.channelnames
    assert after.getattribute("smpte:TimeCode") is None, "another in every frame"
    names = ("framesPerSecond", "worldToCamera", "chromaticities", "compression", "owner")
    for name in (*names, "PixelAspectRatio"):
        assert after.getattribute(name) == before.getattribute(name)


@pytest.mark.parametrize("window", [(3, 2, 5, 4), (-2, -3, 20, 18), (7, 6, 10, 10), (-5, 1, 9, 3), (50, 50, 4, 4)])
def test_results_of_an_exr_have_its_windows(tmp_path: Path, window: tuple[int, int, int, int]) -> None:
    left, top, width, height = window
    samples = gradient(height, width, 4, "float16")
    spec = oiio.ImageSpec(width, height, 4, "half")
    spec.x, spec.y = left + 100, top - 40
    spec.full_x, spec.full_y, spec.full_width, spec.full_height = 100, -40, 12, 10
    writer = oiio.ImageOutput.create("openexr")
    assert writer and writer.open(str(tmp_path / "a.exr"), spec) and writer.write_image(samples) and writer.close()
    still = io.read(tmp_path / "a.exr", PixelFormat(Encoding.EXR), NAME)
    around = (min(left, 0), min(top, 0), max(left + width, 12), max(top + height, 10))
    assert still.pixels.shape == (around[3] - around[1], around[2] - around[0], 4)
    assert (still.format.width, still.format.height) == (12, 10)
    io.write(tmp_path / "b.exr", still.pixels, still)
    back, spec = load(tmp_path / "b.exr")
    assert (spec.x, spec.y, spec.width, spec.height) == (100 + left, -40 + top, width, height)
    assert (spec.full_x, spec.full_y, spec.full_width, spec.full_height) == (100, -40, 12, 10)
    assert np.array_equal(back, samples)
    io.write(tmp_path / "b.png", still.pixels, still, PixelFormat(Encoding.PNG))
    assert load(tmp_path / "b.png")[0].shape == (10, 12, 4), "other formats have the display window"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(tmp_path: Path, orientation: int) -> None:
    """The engine sees the picture upright; the result is stored like the keyframe, tag included."""
    stored = gradient(6, 10, 3, "uint8")
    path = save(tmp_path / "a.tif", Encoding.TIFF, stored, Orientation=orientation)
    still = io.read(path, PixelFormat(Encoding.TIFF), NAME)
    pillow = pytest.importorskip("PIL.Image", reason="Pillow says what is upright")
    from PIL import ImageOps

    upright = np.asarray(ImageOps.exif_transpose(pillow.open(path)))
    assert np.array_equal(np.rint(still.pixels * 255), upright)
    assert (still.format.height, still.format.width) == upright.shape[:2]
    io.write(tmp_path / "b.tif", still.pixels, still)
    back, spec = load(tmp_path / "b.tif")
    assert np.array_equal(back, stored)
    assert spec.get_int_attribute("Orientation") == orientation
    io.write(tmp_path / "c.png", still.pixels, still, PixelFormat(Encoding.PNG))
    png, spec = load(tmp_path / "c.png")
    assert np.array_equal(png, upright)
    assert spec.get_int_attribute("Orientation", 1) == 1


# ---------------------------------------------------------------- other results than the keyframe's


def test_an_exr_keyframe_as_a_png_result(tmp_path: Path) -> None:
    samples = np.float16([[[0, 0, 0, 0], [1, 1, 1, 1], [0.107, 0.107, 0.107, 0.5], [7, 7, 7, 1]]])
    still = io.read(save(tmp_path / "a.exr", Encoding.EXR, samples), PixelFormat(Encoding.EXR), NAME)
    written = io.write(tmp_path / "b.png", still.pixels, still, PixelFormat(Encoding.PNG))
    assert (written.dtype, written.colour, written.alpha) == (SampleType.UINT16, Colour.DISPLAY, Alpha.STRAIGHT)
    back = load(tmp_path / "b.png")[0] / 65535
    assert np.allclose(back[0], [[0, 0, 0, 0], [1, 1, 1, 1], [0.5, 0.5, 0.5, 0.5], [1, 1, 1, 1]], atol=2e-3)


def test_a_png_keyframe_as_an_exr_result(tmp_path: Path) -> None:
    samples = np.uint8([[[188, 188, 188, 255], [188, 188, 188, 128], [90, 90, 90, 0]]])
    still = io.read(save(tmp_path / "a.png", Encoding.PNG, samples), PixelFormat(Encoding.PNG), NAME)
    written = io.write(tmp_path / "b.exr", still.pixels, still, PixelFormat(Encoding.EXR))
    assert (written.dtype, written.colour) == (SampleType.FLOAT16, Colour.SCENE_LINEAR)
    back = load(tmp_path / "b.exr")[0]
    half = 128 / 255
    assert np.allclose(back[0], [[0.503, 0.503, 0.503, 1], [0.503 * half] * 3 + [half], [0, 0, 0, 0]], atol=2e-3)


def test_asked_for_fields_are_followed(tmp_path: Path) -> None:
    still = io.read(save(tmp_path / "a.png", Encoding.PNG, gradient(8, 9, 4, "uint8")), PixelFormat(Encoding.PNG), NAME)
    wanted = PixelFormat(Encoding.TIFF, channels=3, dtype=SampleType.UINT16)
    written = io.write(tmp_path / "b.tif", still.pixels, still, wanted)
    back, spec = load(tmp_path / "b.tif")
    assert (written.channels, written.dtype, back.dtype.name, back.shape) == (3, SampleType.UINT16, "uint16", (8, 9, 3))
    assert spec.get_string_attribute("compression") == "none"
    assert np.allclose(back / 65535, still.pixels[..., :3], atol=1e-5)


def test_jpeg_results_of_transparent_keyframes_lie_over_black(tmp_path: Path) -> None:
    samples = np.full((16, 16, 4), 255, np.uint8)
    samples[:8, :, 3] = 0
    still = io.read(save(tmp_path / "a.png", Encoding.PNG, samples), PixelFormat(Encoding.PNG), NAME)
    written = io.write(tmp_path / "b.jpg", still.pixels, still, PixelFormat(Encoding.JPEG))
    back = load(tmp_path / "b.jpg")[0]
    assert (written.channels, back.shape) == (3, (16, 16, 3))
    assert back[:6].max() < 8
    assert back[10:].min() > 247


@pytest.mark.parametrize(
    "wanted",
    [
        PixelFormat(Encoding.JPEG, channels=4),
        PixelFormat(Encoding.JPEG, dtype=SampleType.UINT16),
        PixelFormat(Encoding.PNG, dtype=SampleType.FLOAT16),
        PixelFormat(Encoding.EXR, dtype=SampleType.UINT8),
        PixelFormat(Encoding.PNG, width=99),
    ],
)
def test_what_an_encoding_cannot_hold_is_refused(tmp_path: Path, wanted: PixelFormat) -> None:
    still = io.read(save(tmp_path / "a.png", Encoding.PNG, gradient(8, 9, 4, "uint8")), PixelFormat(Encoding.PNG), NAME)
    with pytest.raises(TweenbridgeError) as caught:
        io.write(tmp_path / "b", still.pixels, still, wanted)
    assert caught.value.code is ErrorCode.UNSUPPORTED_FORMAT
    assert not (tmp_path / "b").exists()


# ---------------------------------------------------------------- keyframes of one gap


def test_alike_keyframes_may_differ_in_depth_and_channels() -> None:
    first = PixelFormat(Encoding.PNG, 10, 20, 3, SampleType.UINT8, Colour.DISPLAY, Alpha.STRAIGHT)
    io.check_alike([first, replace(first, channels=4), replace(first, dtype=SampleType.UINT16)], ["a", "b", "c"])


def test_keyframes_of_different_size_are_named_with_their_sizes() -> None:
    first = PixelFormat(Encoding.PNG, 10, 20, 3, SampleType.UINT8, Colour.DISPLAY, Alpha.STRAIGHT)
    with pytest.raises(TweenbridgeError) as caught:
        io.check_alike([first, replace(first, width=11)], ["keyframe 1 (A.png)", "keyframe 2 (B.png)"])
    assert caught.value.code is ErrorCode.BAD_KEYFRAME
    assert str(caught.value) == "Keyframe 1 (A.png) is 10 x 20 pixels large and keyframe 2 (B.png) is 11 x 20."


def test_scene_linear_and_display_keyframes_do_not_mix() -> None:
    first = PixelFormat(Encoding.PNG, 10, 20, 3, SampleType.UINT8, Colour.DISPLAY, Alpha.STRAIGHT)
    with pytest.raises(TweenbridgeError, match=r"B\.exr.*scene-linear.*A\.png"):
        io.check_alike([first, replace(first, colour=Colour.SCENE_LINEAR)], ["A.png", "B.exr"])
