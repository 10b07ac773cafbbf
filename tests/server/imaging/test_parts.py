"""Which part of a file is the picture, and what is left out; windows, luminance and chroma, odd samples."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest
from stills import Samples, gradient, load, save
from tweenbridge.pixels import Encoding, PixelFormat, SampleType
from tweenbridge.protocol.errors import TweenbridgeError
from tweenbridge_server.imaging import io
from tweenbridge_server.imaging.colour import unshape
from tweenbridge_server.imaging.parts import Layer, Part, choose, left_out

OpenEXR = pytest.importorskip("OpenEXR", reason="OpenEXR writes the files")
tifffile = pytest.importorskip("tifffile", reason="tifffile writes the files")

EXR = PixelFormat(Encoding.EXR)
TIFF = PixelFormat(Encoding.TIFF)
PICTURE = gradient(12, 16, 4, "float16")
Z = np.linspace(0, 9, 192, dtype=np.float32).reshape(12, 16)


@pytest.mark.parametrize(
    ("parts", "name", "channels"),
    [
        ([Part("", ("R", "G", "B", "Z"))], "", (0, 1, 2)),
        ([Part("", ("A", "B", "G", "R"))], "", (3, 2, 1, 0)),
        ([Part("", ("VL.Combined.R", "VL.Combined.G", "VL.Combined.B", "VL.Depth.Z"))], "VL.Combined", (0, 1, 2)),
        ([Part("", ("VL.Normal.R", "VL.Normal.G", "VL.Normal.B", "VL.Diff.R", "VL.Diff.G", "VL.Diff.B"))], "VL.Diff",
         (3, 4, 5)),
        ([Part("", ("Composite.Combined.R", "Composite.Combined.G", "Composite.Combined.B",
                    "A.Combined.R", "A.Combined.G", "A.Combined.B"))], "Composite.Combined", (0, 1, 2)),
        ([Part("depth", ("Z",)), Part("beauty", ("R", "G", "B"))], "beauty", (0, 1, 2)),
        ([Part("crypto", ("crypto00.r", "crypto00.g", "crypto00.b")), Part("rgba", ("R", "G", "B", "A"))], "rgba",
         (0, 1, 2, 3)),
        ([Part("", ("Y", "Z"))], "", (0,)),
        ([Part("", ("Z",))], "", (0,)),
        ([Part("", ("R", "G", "B", "channel3"))], "", (0, 1, 2)),
    ],
)  # fmt: skip
def test_the_beauty_by_its_usual_names(parts: list[Part], name: str, channels: tuple[int, ...]) -> None:
    chosen = choose(parts)
    assert chosen is not None
    assert (chosen.name, chosen.channels) == (name, channels)


def test_a_layer_by_its_name_and_what_is_left_out() -> None:
    parts = [Part("", ("VL.Combined.R", "VL.Combined.G", "VL.Combined.B", "VL.Depth.Z", "VL.Diff.R", "VL.Diff.G",
                       "VL.Diff.B"))]  # fmt: skip
    chosen = choose(parts, "vl.diff")
    assert chosen == Layer(0, "VL.Diff", (4, 5, 6))
    assert left_out(parts, chosen) == ("VL.Combined", "VL.Depth")
    assert choose(parts, "VL.Spec") is None
    assert choose([Part("", ("u", "v", "w"))]) is None


def _write(path: Path, channels: dict[str, Samples], **header: object) -> Path:
    known = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, **header}
    OpenEXR.File(known, {name: np.ascontiguousarray(plane) for name, plane in channels.items()}).write(str(path))
    return path


def _layered(path: Path) -> Path:
    planes = {f"ViewLayer.Combined.{name}": PICTURE[..., index] for index, name in enumerate("RGBA")}
    return _write(path, {**planes, "ViewLayer.Depth.Z": Z})


def test_blenders_layers_are_read_and_come_back_by_their_names(tmp_path: Path) -> None:
    """Finding 07, `layer`."""
    still = io.read(_layered(tmp_path / "a.exr"), EXR, "a.exr")
    assert [remark.message for remark in still.remarks] == [
        "a.exr also holds ViewLayer.Depth; only its layer ViewLayer.Combined is used."
    ]
    assert not still.is_plain
    form = io.write(tmp_path / "b.exr", still.pixels, still)
    samples, spec = load(tmp_path / "b.exr")
    assert (form.channels, form.dtype) == (4, SampleType.FLOAT16)
    assert spec.channelnames == tuple(f"ViewLayer.Combined.{name}" for name in "RGBA")
    assert np.array_equal(samples, PICTURE)
    io.rewrite(tmp_path / "c.exr", tmp_path / "a.exr", still, "a.exr")
    assert np.array_equal(load(tmp_path / "c.exr")[0], PICTURE)


def test_depth_beside_colour_is_left_out(tmp_path: Path) -> None:
    """Finding 07, `rgbz`."""
    path = _write(tmp_path / "a.exr", {**{name: PICTURE[..., i] for i, name in enumerate("RGB")}, "Z": Z})
    still = io.read(path, EXR, "a.exr")
    assert (still.format.channels, still.format.dtype) == (3, SampleType.FLOAT16)
    assert np.allclose(unshape(still.pixels), PICTURE[..., :3], atol=1e-5)
    assert "also holds Z" in still.remarks[0].message


def test_the_beauty_of_a_file_whose_first_part_is_depth(tmp_path: Path) -> None:
    """Finding 07, `depthfirst`."""
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    rgb = np.ascontiguousarray(PICTURE[..., :3])
    parts = [OpenEXR.Part(dict(header), {"Z": Z.copy()}, "depth"), OpenEXR.Part(dict(header), {"RGB": rgb}, "beauty")]
    OpenEXR.File(parts).write(str(tmp_path / "a.exr"))
    still = io.read(tmp_path / "a.exr", EXR, "a.exr")
    assert np.allclose(unshape(still.pixels), rgb, atol=1e-5)
    assert still.remarks[0].message == "a.exr also holds depth; only its layer beauty is used."


def _luminance_chroma(y: Samples, ry: Samples, by: Samples) -> bytes:
    """The bytes of an uncompressed file, by "OpenEXR File Layout": none of the libraries' Python sides writes one."""
    height, width = y.shape
    window = struct.pack("<4i", 0, 0, width - 1, height - 1)
    channels = b"".join(
        name + b"\0" + struct.pack("<iB3xii", 1, 0, step, step) for name, step in ((b"BY", 2), (b"RY", 2), (b"Y", 1))
    )
    fields = [
        (b"channels", b"chlist", channels + b"\0"), (b"compression", b"compression", b"\0"),
        (b"dataWindow", b"box2i", window), (b"displayWindow", b"box2i", window), (b"lineOrder", b"lineOrder", b"\0"),
        (b"pixelAspectRatio", b"float", struct.pack("<f", 1)), (b"screenWindowCenter", b"v2f", bytes(8)),
        (b"screenWindowWidth", b"float", struct.pack("<f", 1)),
    ]  # fmt: skip
    header = b"\x76\x2f\x31\x01" + struct.pack("<I", 2)
    header += b"".join(name + b"\0" + kind + b"\0" + struct.pack("<i", len(body)) + body for name, kind, body in fields)
    header += b"\0"
    offsets, chunks = [], b""
    for row in range(height):
        data = (by[row // 2].tobytes() + ry[row // 2].tobytes() if row % 2 == 0 else b"") + y[row].tobytes()
        offsets.append(len(header) + 8 * height + len(chunks))
        chunks += struct.pack("<ii", row, len(data)) + data
    return header + struct.pack(f"<{height}Q", *offsets) + chunks


def test_luminance_and_chroma(tmp_path: Path) -> None:
    """Finding 08: Y at full size, RY and BY at every second pixel of every second row."""
    rows, columns = np.mgrid[0:64, 0:96] / 96
    rgb = np.stack([0.2 + 0.6 * columns, 0.3 + 0.5 * rows, 0.5 + 0.3 * np.sin(3 * rows + 2 * columns)], -1)
    luminance = rgb @ np.array([0.2126390, 0.7151687, 0.0721923])
    planes = {name: (rgb[..., index] - luminance) / luminance for name, index in (("RY", 0), ("BY", 2))}
    half = {name: plane[::2, ::2].astype(np.float16) for name, plane in planes.items()}
    (tmp_path / "a.exr").write_bytes(_luminance_chroma(luminance.astype(np.float16), half["RY"], half["BY"]))
    assert io.probe(tmp_path / "a.exr", EXR).channels == 3
    still = io.read(tmp_path / "a.exr", EXR, "a.exr")
    assert still.format.dtype is SampleType.FLOAT16
    inner = (slice(4, -4), slice(4, -4))
    assert np.abs(unshape(still.pixels) - rgb)[inner].max() < 0.003
    assert "luminance and chroma" in still.remarks[0].message
    io.write(tmp_path / "b.exr", still.pixels, still)
    samples, spec = load(tmp_path / "b.exr")
    assert spec.channelnames == ("R", "G", "B") and np.abs(samples - rgb)[inner].max() < 0.003


def test_overscan_is_kept_and_both_windows_are_united(tmp_path: Path) -> None:
    def windowed(name: str, left: int, top: int) -> io.Still:
        spec = oiio.ImageSpec(16, 12, 4, "half")
        spec.x, spec.y, spec.full_width, spec.full_height = left, top, 12, 8
        writer = oiio.ImageOutput.create("openexr")
        assert writer.open(str(tmp_path / name), spec) and writer.write_image(PICTURE) and writer.close()
        return io.read(tmp_path / name, EXR, name)

    a, b = windowed("a.exr", -2, -2), windowed("b.exr", -4, 0)
    pair = io.pair(a, b, ("a.exr", "b.exr"))
    io.write(tmp_path / "c.exr", pair.a, pair.like)
    samples, spec = load(tmp_path / "c.exr")
    assert (spec.x, spec.y, spec.width, spec.height) == (-4, -2, 18, 14)
    assert (spec.full_width, spec.full_height) == (12, 8)
    assert np.array_equal(samples[:12, 2:], PICTURE) and not samples[12:].any()


@pytest.mark.parametrize(
    ("dtype", "read_as", "said"),
    [
        ("float64", SampleType.FLOAT32, "64-bit"),
        ("uint32", SampleType.UINT16, "32-bit"),
        ("int16", SampleType.UINT16, "signed"),
    ],
)  # fmt: skip
def test_samples_of_every_type_are_read(tmp_path: Path, dtype: str, read_as: SampleType, said: str) -> None:
    """Finding 14: no "use TIFF" for a TIFF."""
    exact = gradient(8, 9, 3, "float64")
    scale = 1 if dtype == "float64" else np.iinfo(dtype).max
    tifffile.imwrite(tmp_path / "a.tif", (exact * scale).astype(dtype), photometric="rgb")
    still = io.read(tmp_path / "a.tif", TIFF, "a.tif")
    assert still.format.dtype is read_as and said in still.remarks[0].message
    pixels = unshape(still.pixels) if read_as is SampleType.FLOAT32 else still.pixels
    assert np.abs(pixels - exact).max() < 5e-5


def test_extra_channels_of_a_tiff_are_left_out(tmp_path: Path) -> None:
    samples = np.concatenate([gradient(8, 9, 3, "uint8")] * 2, axis=2)[..., :5]
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric="rgb", extrasamples=("unspecified", "unspecified"))
    still = io.read(tmp_path / "a.tif", TIFF, "a.tif")
    assert np.array_equal(np.rint(still.pixels * 255), samples[..., :3])
    assert "also holds" in still.remarks[0].message


def test_the_first_of_several_pages_is_said(tmp_path: Path) -> None:
    pages = np.stack([gradient(8, 9, 3, "uint8", seed) for seed in (1, 2)])
    tifffile.imwrite(tmp_path / "a.tif", pages, photometric="rgb")
    still = io.read(tmp_path / "a.tif", TIFF, "a.tif")
    assert np.array_equal(np.rint(still.pixels * 255), pages[0])
    assert [remark.code for remark in still.remarks] == ["first_picture"]


def test_what_holds_no_picture_is_named(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.exr", {"u": Z, "v": Z, "w": Z})
    with pytest.raises(TweenbridgeError, match="holds no picture, only the channels u, v, w") as error:
        io.read(path, EXR, "a.exr")
    assert "Export the picture" in error.value.remedy


def test_no_numbers_are_told_and_do_not_spread(tmp_path: Path) -> None:
    samples = gradient(8, 9, 3, "float16")
    samples[2, 3, 0], samples[4, 5, 1], samples[4, 6, 1] = np.nan, np.inf, -np.inf
    still = io.read(save(tmp_path / "a.exr", Encoding.EXR, samples), EXR, "a.exr")
    assert [remark.message for remark in still.remarks] == [
        "a.exr has samples that are no numbers: 1 NaN, taken for 0; 2 infinite, cut to 65504."
    ]
    assert np.isfinite(still.pixels).all()
    assert not still.is_plain, "not even a copy spreads them"
