"""Pages, layers and stills in formats that jobs do not carry, as keyframes; and what is said of what is no picture."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from stills import gradient, load
from tweenbridge.pixels import PixelFormat
from tweenbridge.protocol.errors import TweenbridgeError
from tweenbridge_server.imaging import io, taken

pillow = pytest.importorskip("PIL.Image", reason="Pillow writes the files")
tifffile = pytest.importorskip("tifffile")
OpenEXR = pytest.importorskip("OpenEXR")

PICTURE = gradient(24, 32, 3, "uint8")


def _samples(path: Path) -> np.ndarray:
    still = io.read(path, PixelFormat(taken.known(path)), path.name)
    return np.rint(still.pixels * 255).astype(np.uint8)


@pytest.mark.parametrize("ending", ["webp", "bmp", "tga", "ppm", "jp2"])
def test_stills_in_other_formats(tmp_path: Path, ending: str) -> None:
    options = {"webp": {"lossless": True}, "jp2": {"irreversible": False}}.get(ending, {})
    pillow.fromarray(PICTURE).save(tmp_path / f"a.{ending}", **options)
    file, remarks = taken.still(tmp_path / f"a.{ending}", tmp_path)
    assert np.array_equal(_samples(file)[..., :3], PICTURE) and not remarks


def test_jpeg_xl_and_dpx(tmp_path: Path) -> None:
    import OpenImageIO as oiio

    for ending, plugin in (("jxl", "jpegxl"), ("dpx", "dpx")):
        writer = oiio.ImageOutput.create(plugin)
        if writer is None:
            pytest.skip(f"this OpenImageIO writes no {ending}")
        spec = oiio.ImageSpec(32, 24, 3, "uint8")
        spec["CompressionQuality"] = 100
        assert writer.open(str(tmp_path / f"a.{ending}"), spec) and writer.write_image(PICTURE) and writer.close()
        file, _ = taken.still(tmp_path / f"a.{ending}", tmp_path)
        assert np.abs(_samples(file).astype(int) - PICTURE).max() <= (0 if ending == "dpx" else 6)


def test_avif(tmp_path: Path) -> None:
    flat = np.full((64, 64, 3), (200, 90, 40), np.uint8)
    try:
        pillow.fromarray(flat).save(tmp_path / "a.avif", quality=100)
    except (KeyError, OSError, ValueError):
        pytest.skip("this Pillow writes no AVIF")
    file, _ = taken.still(tmp_path / "a.avif", tmp_path)
    assert np.abs(_samples(file).astype(int) - flat).max() <= 4


@pytest.mark.parametrize("ending", ["gif", "webp", "tif"])
def test_pictures_by_number(tmp_path: Path, ending: str) -> None:
    colours = [(200, 30, 40), (20, 160, 60), (10, 50, 220)]
    pictures = [pillow.fromarray(np.full((24, 32, 3), colour, np.uint8)) for colour in colours]
    path = tmp_path / f"a.{ending}"
    if ending == "tif":
        tifffile.imwrite(path, np.stack([np.asarray(picture) for picture in pictures]), photometric="rgb")
    else:
        options = {"lossless": True} if ending == "webp" else {}
        pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=100, **options)
    assert taken.has_pages(path)
    for number, colour in enumerate(colours):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        made = _samples(taken.page(path, number, folder))
        assert np.abs(made[..., :3].astype(int) - colour).max() <= 1
    with pytest.raises(TweenbridgeError, match="has 3 pictures; there is no number 3"):
        taken.page(path, 3, tmp_path)
    if ending != "tif":
        (remark,) = taken.still(path, tmp_path)[1]
        assert remark.message == (
            f"a.{ending} holds several pictures; the first is used. Another is named by its number, like a.{ending}@1."
        )


def test_a_layer(tmp_path: Path) -> None:
    half = PICTURE.astype(np.float16) / 255
    layers = {"VL.Combined": half, "VL.DiffDir": half[::-1]}
    channels = {
        f"{name}.{channel}": np.ascontiguousarray(plane[..., index])
        for name, plane in layers.items()
        for index, channel in enumerate("RGB")
    }
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    OpenEXR.File(header, channels).write(str(tmp_path / "a.exr"))
    (tmp_path / "out").mkdir()
    file = taken.layer(tmp_path / "a.exr", "VL.DiffDir", tmp_path / "out")
    samples, spec = load(file)
    assert spec.channelnames == ("VL.DiffDir.R", "VL.DiffDir.G", "VL.DiffDir.B")
    assert np.array_equal(samples, layers["VL.DiffDir"])
    with pytest.raises(TweenbridgeError, match=r"no layer VL\.Spec") as error:
        taken.layer(tmp_path / "a.exr", "VL.Spec", tmp_path)
    assert error.value.remedy == "Choose one of VL.Combined, VL.DiffDir."


def test_a_film_and_what_is_no_picture(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "clip.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    with pytest.raises(TweenbridgeError, match=r"clip\.mp4 is a film") as error:
        taken.still(tmp_path / "clip.mp4", tmp_path)
    assert "clip.mp4@36" in error.value.remedy
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(TweenbridgeError, match=r"notes\.txt is not an image") as error:
        taken.still(tmp_path / "notes.txt", tmp_path)
    assert "WebP" in error.value.remedy and "TIFF" in error.value.remedy
