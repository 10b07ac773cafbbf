"""Declared colour is believed: patches through a lossless film and an EXR, against conversions by another library."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from stills import load, save
from tweenbridge.pixels import Encoding, PixelFormat, sniff
from tweenbridge_server.imaging import io
from tweenbridge_server.imaging.display import read_for_display
from tweenbridge_server.imaging.video import VideoFrame, encode, grabbed

colour = pytest.importorskip("colour", reason="colour-science is the other library")
imagecodecs = pytest.importorskip("imagecodecs")

PATCHES = np.array(
    [[[0.2, 0.5, 0.8], [0.9, 0.4, 0.1], [0.5, 0.5, 0.5], [0.05, 0.02, 0.03], [1, 1, 1], [0.1, 0.75, 0.2]]] * 4
)
STEP = 1 / 255
Light = Callable[[Any], Any]


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png(path: Path, numbers: Any, *declared: tuple[bytes, bytes]) -> Path:
    """A 16-bit PNG, RGB or grey, with these chunks."""
    samples = np.rint(np.asarray(numbers) * 65535).astype(">u2")
    gray = samples.ndim == 2
    rows = b"".join(b"\0" + row.tobytes() for row in samples)
    header = struct.pack(">IIBBBBB", samples.shape[1], samples.shape[0], 16, 0 if gray else 2, 0, 0, 0)
    body = _chunk(b"IHDR", header) + b"".join(_chunk(*item) for item in declared)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b""))
    return path


def _chrm(name: str) -> tuple[bytes, bytes]:
    space = colour.RGB_COLOURSPACES[name]
    xy = [*space.whitepoint, *space.primaries.ravel()]
    return b"cHRM", struct.pack(">8I", *(round(number * 100_000) for number in xy))


def _gama(exponent: float) -> tuple[bytes, bytes]:
    return b"gAMA", struct.pack(">I", round(100_000 / exponent))


def _icc(name: str, exponent: float) -> tuple[bytes, bytes]:
    space = colour.RGB_COLOURSPACES[name]
    primaries = [number for xy in space.primaries for number in (*xy, 1.0)]
    icc = imagecodecs.cms_profile("rgb", whitepoint=[*space.whitepoint, 1.0], primaries=primaries, gamma=exponent)
    return b"iCCP", b"own\0\0" + zlib.compress(icc)


def _hlg(values: Any) -> Any:
    return colour.models.eotf_BT2100_HLG(values, L_B=0, L_W=1000) / 203


CASES: dict[str, tuple[tuple[tuple[bytes, bytes], ...], str, Light]] = {
    "srgb": (((b"sRGB", b"\0"),), "sRGB", colour.models.eotf_sRGB),
    "nothing": ((), "sRGB", colour.models.eotf_sRGB),
    "display p3": (((b"cICP", bytes([12, 13, 0, 1])),), "Display P3", colour.models.eotf_sRGB),
    "adobe rgb": ((_icc("Adobe RGB (1998)", 563 / 256),), "Adobe RGB (1998)", lambda v: v ** (563 / 256)),
    "prophoto": ((_icc("ProPhoto RGB", 1.8),), "ProPhoto RGB", lambda v: v**1.8),
    "rec. 709, gamma 2.4": ((_gama(2.4), _chrm("ITU-R BT.709")), "ITU-R BT.709", lambda v: v**2.4),
    "rec. 2020": ((_gama(2.4), _chrm("ITU-R BT.2020")), "ITU-R BT.2020", lambda v: v**2.4),
    "linear": ((_gama(1.0),), "sRGB", lambda v: v),
    "chrm and gamma 1.8": ((_gama(1.8), _chrm("P3-D65")), "P3-D65", lambda v: v**1.8),
    "pq": (((b"cICP", bytes([9, 16, 0, 1])),), "ITU-R BT.2020", lambda v: colour.models.eotf_ST2084(v) / 203),
    "hlg": (((b"cICP", bytes([9, 18, 0, 1])),), "ITU-R BT.2020", _hlg),
}


def _truth(name: str, light: Any) -> Any:
    """Light in the primaries of a space as linear Rec. 709, by colour-science."""
    return colour.RGB_to_RGB(light, name, "sRGB", chromatic_adaptation_transform="Bradford")


def _film(path: Path) -> tuple[Any, Any]:
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        context = container.streams.video[0].codec_context
        return frame.reformat(format="rgb48le").to_ndarray() / 65535, context


def _read(path: Path) -> io.Still:
    return io.read(path, PixelFormat(sniff(path.read_bytes()[:16]) or Encoding.PNG), path.name)


@pytest.mark.parametrize("case", CASES)
def test_a_png_through_a_lossless_film_and_an_exr(tmp_path: Path, case: str) -> None:
    declared, name, curve = CASES[case]
    path = _png(tmp_path / "a.png", PATCHES, *declared)
    linear = _truth(name, curve(np.rint(PATCHES * 65535) / 65535))
    encode([path, path], tmp_path / "a.mkv", 24)
    film, context = _film(tmp_path / "a.mkv")
    if case in ("pq", "hlg"):
        assert (context.color_primaries, context.color_trc) == (9, 16 if case == "pq" else 18)
        assert np.abs(film - PATCHES).max() < STEP, "HDR stays as it is, and says so"
    else:
        assert (context.color_primaries, context.color_trc) == (1, 13)
        assert np.abs(film - colour.models.eotf_inverse_sRGB(np.clip(linear, 0, 1))).max() < STEP
    still = _read(path)
    io.write(tmp_path / "a.exr", still.pixels, still, PixelFormat(Encoding.EXR))
    samples, spec = load(tmp_path / "a.exr")
    assert spec.getattribute("chromaticities") is None
    assert (np.abs(samples - linear) / np.maximum(np.abs(linear), 1)).max() < STEP
    shown = read_for_display(path) / 255
    assert np.abs(shown - colour.models.eotf_inverse_sRGB(np.clip(linear, 0, 1))).max() < STEP


@pytest.mark.parametrize(("name", "primaries"), [("AP0", "ACES2065-1"), ("AP1", "ACEScg")])
def test_an_aces_exr_through_a_film_and_a_png(tmp_path: Path, name: str, primaries: str) -> None:
    space = colour.RGB_COLOURSPACES[primaries]
    light = PATCHES.astype(np.float32)
    xy = tuple(float(number) for number in (*space.primaries.ravel(), *space.whitepoint))
    path = save(tmp_path / "a.exr", Encoding.EXR, light)
    import OpenImageIO as oiio

    spec = oiio.ImageSpec(light.shape[1], light.shape[0], 3, "float")
    spec.attribute("chromaticities", "float[8]", xy)
    writer = oiio.ImageOutput.create("openexr")
    assert writer.open(str(path), spec) and writer.write_image(light) and writer.close()
    truth = colour.models.eotf_inverse_sRGB(np.clip(_truth(primaries, light), 0, 1))
    encode([path], tmp_path / "a.mkv", 24)
    assert np.abs(_film(tmp_path / "a.mkv")[0] - truth).max() < STEP
    still = _read(path)
    io.write(tmp_path / "a.png", still.pixels, still, PixelFormat(Encoding.PNG))
    assert np.abs(load(tmp_path / "a.png")[0] / 65535 - truth).max() < STEP
    io.write(tmp_path / "b.exr", still.pixels, still)
    samples, spec = load(tmp_path / "b.exr")
    assert np.allclose(samples, light, rtol=1e-4) and spec.getattribute("chromaticities") == pytest.approx(xy)


def test_a_gray_picture_with_a_gray_profile(tmp_path: Path) -> None:
    icc = imagecodecs.cms_profile("gray", whitepoint=[0.3127, 0.329, 1.0], gamma=1.8)
    gray = PATCHES[..., 1]
    path = _png(tmp_path / "a.png", gray, (b"iCCP", b"gray\0\0" + zlib.compress(icc)))
    truth = colour.models.eotf_inverse_sRGB(gray**1.8)[..., None]
    encode([path], tmp_path / "a.mkv", 24)
    assert np.abs(_film(tmp_path / "a.mkv")[0] - truth).max() < STEP
    other = _png(tmp_path / "b.png", PATCHES)
    pair = io.pair(_read(path), _read(other), ("a.png", "b.png"))
    assert np.abs(pair.a - truth).max() < STEP and np.allclose(pair.b, PATCHES, atol=1e-4)
    assert [remark.code for remark in pair.remarks] == ["colours_differ"]


def test_colours_that_differ_are_brought_to_the_first_keyframes(tmp_path: Path) -> None:
    a = _png(tmp_path / "a.png", PATCHES, (b"cICP", bytes([12, 13, 0, 1])))
    b = _png(tmp_path / "b.png", PATCHES, (b"sRGB", b"\0"))
    pair = io.pair(_read(a), _read(b), ("a.png", "b.png"))
    linear = colour.RGB_to_RGB(colour.models.eotf_sRGB(PATCHES), "sRGB", "Display P3")
    assert np.abs(pair.b - colour.models.eotf_inverse_sRGB(linear)).max() < STEP
    assert np.allclose(pair.a, PATCHES, atol=1e-4)
    (remark,) = pair.remarks
    assert remark.message == (
        "b.png has colours in sRGB; they are brought to Display P3 (sRGB curve), as a.png has them."
    )
    io.write(tmp_path / "m.png", pair.b, pair.like)
    assert _kinds(tmp_path / "m.png") == [b"cICP"]
    same = io.pair(_read(b), _read(_png(tmp_path / "c.png", PATCHES)), ("b.png", "c.png"))
    assert not same.remarks, "nothing said means sRGB"


def _kinds(path: Path) -> list[bytes]:
    """The colour chunks of a PNG."""
    data, at, kinds = path.read_bytes(), 8, []
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        kinds.append(kind)
        at += 12 + length
    return [kind for kind in kinds if kind in (b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM")]


@pytest.mark.parametrize(
    ("declared", "kept"),
    [
        ([_icc("Display P3", 2.2), (b"sRGB", b"\0"), _gama(2.2)], [b"iCCP"]),
        ([(b"sRGB", b"\0"), (b"gAMA", struct.pack(">I", 45455)), _chrm("sRGB")], [b"sRGB"]),
        ([_gama(1.8), _chrm("P3-D65")], [b"cHRM", b"gAMA"]),
        ([(b"cICP", bytes([9, 16, 0, 1])), _icc("Display P3", 2.2)], [b"cICP"]),
        ([(b"iCCP", b"broken\0\0" + zlib.compress(b"no profile"))], []),
        ([], []),
    ],
)
def test_a_png_says_it_once(tmp_path: Path, declared: list[tuple[bytes, bytes]], kept: list[bytes]) -> None:
    """Finding 09: cHRM was lost, and iCCP and sRGB were both written."""
    still = _read(_png(tmp_path / "a.png", PATCHES, *declared))
    io.write(tmp_path / "b.png", still.pixels, still)
    assert _kinds(tmp_path / "b.png") == kept
    assert np.array_equal(load(tmp_path / "a.png")[0], load(tmp_path / "b.png")[0])
    assert bool(still.remarks) == (declared[:1] != [] and declared[0][1].startswith(b"broken"))


@pytest.mark.parametrize(("ending", "codec", "curve"), [(".mp4", "hevc", 16), (".mp4", "h264", 1)])
def test_a_lossy_film_says_what_it_is(tmp_path: Path, ending: str, codec: str, curve: int) -> None:
    declared = [(b"cICP", bytes([9, 16, 0, 1]))] if codec == "hevc" else []
    path = _png(tmp_path / "a.png", np.tile(PATCHES[:1].repeat(16, 1), (64, 1, 1)), *declared)
    encode([path] * 3, tmp_path / "a.mp4", 24)
    with av.open(str(tmp_path / "a.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert context.name == codec
        assert (context.color_primaries, context.color_trc) == ((9, 16) if curve == 16 else (1, 1))
    again = tmp_path / "again.png"
    again.write_bytes(grabbed(VideoFrame(tmp_path / "a.mp4", number=1)))
    assert _kinds(again) == ([b"cICP"] if curve == 16 else [])
    assert _read(again).colour.space.is_hdr == (curve == 16)


def test_pixels_that_are_not_square_stay_so(tmp_path: Path) -> None:
    light = np.tile(PATCHES, (16, 12, 1)).astype(np.float32)
    path = save(tmp_path / "a.exr", Encoding.EXR, light, PixelAspectRatio=2.0)
    encode([path, path], tmp_path / "a.mp4", 24)
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.streams.video[0].sample_aspect_ratio == 2
    frame = tmp_path / "frame.png"
    frame.write_bytes(grabbed(VideoFrame(tmp_path / "a.mp4", number=0)))
    assert load(frame)[1].get_float_attribute("PixelAspectRatio") == pytest.approx(2, rel=0.01)
    still = _read(path)
    io.write(tmp_path / "b.png", still.pixels, still, PixelFormat(Encoding.PNG))
    assert load(tmp_path / "b.png")[1].get_float_attribute("PixelAspectRatio") == pytest.approx(2, rel=0.01)


def test_ink_is_converted_and_its_profile_is_not_kept(tmp_path: Path) -> None:
    """Finding 02, with a profile that cannot be used: as OpenImageIO converts ink, and said."""
    pillow = pytest.importorskip("PIL.Image")
    picture = np.rint(np.tile(PATCHES, (4, 4, 1)) * 255).astype(np.uint8)
    bare = struct.pack(">I4sI4s4s4s", 132, b"lcms", 0x02400000, b"prtr", b"CMYK", b"Lab ") + bytes(108)
    pillow.fromarray(picture).convert("CMYK").save(tmp_path / "a.jpg", quality=100, subsampling=0, icc_profile=bare)
    still = _read(tmp_path / "a.jpg")
    assert [remark.code for remark in still.remarks] == ["colour_converted"]
    io.write(tmp_path / "b.jpg", still.pixels, still)
    samples, spec = load(tmp_path / "b.jpg")
    assert spec.getattribute("ICCProfile") is None
    assert np.abs(samples.astype(float) - picture).mean() < 3


def test_lab_is_converted(tmp_path: Path) -> None:
    """Finding 02: colours were off by up to 16 levels."""
    pillow = pytest.importorskip("PIL.Image")
    picture = np.rint(PATCHES * 255).astype(np.uint8)
    pillow.fromarray(picture).convert("LAB").save(tmp_path / "a.tif")
    still = _read(tmp_path / "a.tif")
    io.write(tmp_path / "b.tif", still.pixels, still)
    samples, spec = load(tmp_path / "b.tif")
    assert spec.getattribute("ICCProfile") is None
    assert np.abs(samples.astype(int) - picture).max() <= 3, "Pillow rounds L*a*b* to 8 bits"
