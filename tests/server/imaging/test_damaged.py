"""Files that are not what they should be: each gets one plain sentence that names the keyframe, and no process dies."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest
from stills import NAME, gradient, save
from tweenbridge.pixels import FILE_SUFFIX, Colour, Encoding, PixelFormat, SampleType, sniff
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge_server.imaging import io, writing

FILES = {
    Encoding.PNG: ("uint8", {}),
    Encoding.TIFF: ("uint16", {"compression": "lzw"}),
    Encoding.JPEG: ("uint8", {}),
    Encoding.EXR: ("float16", {"compression": "zip"}),
}


def sound(folder: Path, encoding: Encoding) -> Path:
    dtype, tags = FILES[encoding]
    channels = 3 if encoding is Encoding.JPEG else 4
    return save(folder / f"sound{FILE_SUFFIX[encoding]}", encoding, gradient(40, 60, channels, dtype), **tags)


def refusal(path: Path, claim: PixelFormat) -> TweenbridgeError:
    """The error that reading gives, checked to be fit for a user. Probing may see it too, or not, but nothing else."""
    with pytest.raises(TweenbridgeError) as caught:
        io.read(path, claim, NAME)
    error = caught.value
    assert error.code in (ErrorCode.BAD_KEYFRAME, ErrorCode.UNSUPPORTED_FORMAT, ErrorCode.TOO_LARGE)
    assert str(error).startswith("Keyframe 2 (B.png) ")
    assert str(error).endswith(".")
    assert str(path.parent) not in str(error)
    assert path.name not in str(error)
    assert error.remedy
    try:
        io.probe(path, claim, NAME)
    except TweenbridgeError as probed:
        assert probed.code in (ErrorCode.BAD_KEYFRAME, ErrorCode.UNSUPPORTED_FORMAT, ErrorCode.TOO_LARGE)
    return error


@pytest.mark.parametrize("encoding", list(FILES))
def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path, encoding: Encoding) -> None:
    path = sound(tmp_path, encoding)
    data = path.read_bytes()
    cut = tmp_path / f"cut{FILE_SUFFIX[encoding]}"
    lengths = {*range(0, min(600, len(data)), 7), *range(0, len(data), max(1, len(data) // 80))}
    lengths |= {len(data) - n for n in (1, 2, 3, 4, 5, 8, 12, 13, 20)}
    for length in sorted(lengths):
        cut.write_bytes(data[:length])
        error = refusal(cut, PixelFormat(encoding))
        if length >= 16:
            assert error.code is ErrorCode.BAD_KEYFRAME, length
    cut.write_bytes(data)
    io.read(cut, PixelFormat(encoding), NAME)


def test_a_progressive_jpeg_cut_off_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", Encoding.JPEG, gradient(64, 64, 3, "uint8"), jpeg__progressive=1)
    data = path.read_bytes()
    for length in range(len(data) // 2, len(data), 37):
        path.write_bytes(data[:length])
        refusal(path, PixelFormat(Encoding.JPEG))


def test_a_jpeg_whose_middle_is_missing_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", Encoding.JPEG, gradient(200, 200, 3, "uint8"))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + b"\xff\xd9")
    refusal(path, PixelFormat(Encoding.JPEG))


def test_bytes_after_the_end_do_no_harm(tmp_path: Path) -> None:
    for encoding in FILES:
        path = sound(tmp_path, encoding)
        path.write_bytes(path.read_bytes() + b"trailing bytes of some camera")
        io.read(path, PixelFormat(encoding), NAME)


def test_an_empty_file_and_a_missing_one(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"")
    assert str(refusal(path, PixelFormat(Encoding.PNG))) == "Keyframe 2 (B.png) is empty."
    assert refusal(tmp_path / "none.png", PixelFormat(Encoding.PNG)).code is ErrorCode.BAD_KEYFRAME


@pytest.mark.parametrize("data", [b"hello, this is text" * 9, b"GIF89a" + bytes(90), bytes(200), b"%PDF-1.7 " * 30])
def test_something_else_than_an_image(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(data)
    error = refusal(path, PixelFormat(Encoding.PNG))
    assert error.code is ErrorCode.UNSUPPORTED_FORMAT
    assert str(error) == "Keyframe 2 (B.png) is not an image that Tweenbridge can read."


@pytest.mark.parametrize("claimed", list(FILES))
@pytest.mark.parametrize("real", list(FILES))
def test_a_wrong_claim_is_said(tmp_path: Path, claimed: Encoding, real: Encoding) -> None:
    path = sound(tmp_path, real)
    if claimed is real:
        assert io.read(path, PixelFormat(claimed), NAME).format.encoding is real
    else:
        assert "was sent as" in str(refusal(path, PixelFormat(claimed)))


@pytest.mark.parametrize(
    "claim",
    [
        PixelFormat(Encoding.PNG, width=61),
        PixelFormat(Encoding.PNG, height=39),
        PixelFormat(Encoding.PNG, channels=3),
        PixelFormat(Encoding.PNG, dtype=SampleType.UINT16),
    ],
)
def test_a_false_field_is_refused(tmp_path: Path, claim: PixelFormat) -> None:
    path = sound(tmp_path, Encoding.PNG)
    assert refusal(path, claim).code is ErrorCode.BAD_KEYFRAME
    true = PixelFormat(Encoding.PNG, 60, 40, 4, SampleType.UINT8, Colour.DISPLAY)
    assert io.read(path, true, NAME).format.width == 60


# ---------------------------------------------------------------- sizes


def png_of(width: int, height: int, rows: bytes = b"") -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("width", "height"), [(16385, 1), (1, 16385), (16384, 16384), (2**31 - 1, 2**31 - 1)])
def test_absurd_png_sizes_are_refused_before_decoding(tmp_path: Path, width: int, height: int) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png_of(width, height))
    error = refusal(path, PixelFormat(Encoding.PNG))
    assert error.code is ErrorCode.TOO_LARGE
    assert f"{width} x {height}" in str(error)


def test_a_png_of_no_size(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png_of(0, 10))
    assert refusal(path, PixelFormat(Encoding.PNG)).code is ErrorCode.BAD_KEYFRAME


def test_a_huge_progressive_jpeg_costs_no_memory(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", Encoding.JPEG, gradient(64, 64, 3, "uint8"), jpeg__progressive=1)
    data = bytearray(path.read_bytes())
    frame = data.index(b"\xff\xc2")
    data[frame + 5 : frame + 9] = struct.pack(">HH", 65500, 65500)
    path.write_bytes(data)
    resource = pytest.importorskip("resource", reason="memory is measured as Unix counts it")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert refusal(path, PixelFormat(Encoding.JPEG)).code is ErrorCode.TOO_LARGE
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_huge_exr_windows_are_refused(tmp_path: Path) -> None:
    spec = oiio.ImageSpec(8, 8, 3, "half")
    spec.full_width, spec.full_height = 1_000_000, 1_000_000
    writer = oiio.ImageOutput.create("openexr")
    assert writer and writer.open(str(tmp_path / "a.exr"), spec)
    assert writer.write_image(gradient(8, 8, 3, "float16")) and writer.close()
    assert refusal(tmp_path / "a.exr", PixelFormat(Encoding.EXR)).code is ErrorCode.TOO_LARGE


def test_a_huge_tiff_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tif", Encoding.TIFF, gradient(8, 9, 3, "uint8"), compression="none")
    data = path.read_bytes()
    wide = data.replace(struct.pack("<HHIHH", 256, 3, 1, 9, 0), struct.pack("<HHII", 256, 4, 1, 400_000))
    assert wide != data
    path.write_bytes(wide)
    assert refusal(path, PixelFormat(Encoding.TIFF)).code is ErrorCode.TOO_LARGE


@pytest.mark.parametrize("size", [0, 1, 2399, 2401, 10_000])
def test_raw_rows_of_the_wrong_length(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.raw"
    path.write_bytes(bytes(size))
    error = refusal(path, PixelFormat(Encoding.RAW, 30, 20, 4, SampleType.UINT8))
    assert "2,400" in str(error)


def test_raw_claims_that_make_no_sense(tmp_path: Path) -> None:
    path = tmp_path / "a.raw"
    path.write_bytes(bytes(100))
    assert refusal(path, PixelFormat(Encoding.RAW, 100_000, 2, 4, SampleType.UINT8)).code is ErrorCode.TOO_LARGE
    for claim in (PixelFormat(Encoding.RAW), PixelFormat(Encoding.RAW, -3, -3, 4, SampleType.UINT8)):
        with pytest.raises(TweenbridgeError) as caught:
            io.read(path, claim, NAME)
        assert caught.value.code is ErrorCode.UNSUPPORTED_FORMAT


# ---------------------------------------------------------------- sound, and not supported


@pytest.mark.parametrize("names", [("R", "G", "B", "A", "Z"), ("R", "G", "B", "Z")])
def test_channels_beside_the_picture_are_left_out(tmp_path: Path, names: tuple[str, ...]) -> None:
    spec = oiio.ImageSpec(8, 8, len(names), "half")
    spec.channelnames = names
    writer = oiio.ImageOutput.create("openexr")
    assert writer and writer.open(str(tmp_path / "a.exr"), spec)
    assert writer.write_image(np.zeros((8, 8, len(names)), np.float16)) and writer.close()
    still = io.read(tmp_path / "a.exr", PixelFormat(Encoding.EXR), NAME)
    assert still.format.channels == len(names) - 1
    assert [remark.code for remark in still.remarks] == ["parts_left_out"]


def test_of_several_exr_parts_the_first_is_read(tmp_path: Path) -> None:
    first, second = gradient(8, 9, 3, "float16"), gradient(8, 9, 4, "float16", seed=5)
    specs = [oiio.ImageSpec(9, 8, 3, "half"), oiio.ImageSpec(9, 8, 4, "half")]
    for name, spec in zip(("left", "right"), specs):
        spec["oiio:subimagename"] = name
    writer = oiio.ImageOutput.create("openexr")
    assert writer and writer.open(str(tmp_path / "a.exr"), tuple(specs)) and writer.write_image(first)
    assert writer.open(str(tmp_path / "a.exr"), specs[1], "AppendSubimage") and writer.write_image(second)
    assert writer.close()
    still = io.read(tmp_path / "a.exr", PixelFormat(Encoding.EXR), NAME)
    io.write(tmp_path / "b.exr", still.pixels, still)
    back = oiio.ImageInput.open(str(tmp_path / "b.exr"))
    assert back
    assert np.array_equal(back.read_image("half"), first)


# ---------------------------------------------------------------- the process survives

FUZZ = """
import random, sys
from pathlib import Path
from tweenbridge.pixels import Encoding, PixelFormat
from tweenbridge.protocol.errors import TweenbridgeError
from tweenbridge_server.imaging import io
path, encoding, seed, count = Path(sys.argv[1]), Encoding(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
data, dice, target = path.read_bytes(), random.Random(seed), path.with_name("fuzz" + path.suffix)
for _ in range(count):
    broken = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 5, 20))):
        place = dice.randrange(3, min(len(broken), dice.choice((64, 512, 1 << 20))))
        broken[place] = dice.choice((0, 255, 127, 128, dice.randrange(256)))
    target.write_bytes(broken)
    try:
        io.read(target, PixelFormat(encoding), "keyframe")
    except TweenbridgeError:
        pass
print("survived")
"""


@pytest.mark.parametrize("encoding", list(FILES))
def test_corrupt_files_never_end_the_process(tmp_path: Path, encoding: Encoding) -> None:
    path = sound(tmp_path, encoding)
    count = int(os.environ.get("TWEENBRIDGE_FUZZ", "150"))
    command = [sys.executable, "-c", FUZZ, str(path), encoding.value, "1", str(count)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=250)
    assert result.stdout.strip() == "survived", result.stderr[-800:]


def test_a_full_disk_is_said_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = sound(tmp_path, Encoding.PNG)
    still = io.read(path, PixelFormat(Encoding.PNG), NAME)
    usage = writing.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(writing.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(TweenbridgeError) as caught:
        io.write(tmp_path / "b.png", still.pixels, still)
    assert caught.value.code is ErrorCode.DISK_FULL
    assert not (tmp_path / "b.png").exists()


LIMITED = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from tweenbridge.pixels import Alpha, Colour, Encoding, PixelFormat, SampleType
from tweenbridge.protocol.errors import TweenbridgeError
from tweenbridge_server.imaging import io
encoding, dtype = Encoding(sys.argv[1]), SampleType(sys.argv[2])
pixels = np.random.default_rng(0).random((400, 500, 3)).astype(np.float32)
like = io.Still(pixels, PixelFormat(encoding, 500, 400, 3, dtype, Colour.DISPLAY, Alpha.STRAIGHT))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    io.write(Path(sys.argv[3]), pixels, like)
    print("written")
except TweenbridgeError as error:
    print(error.code.value, Path(sys.argv[3]).exists())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot limit the size of files")
@pytest.mark.parametrize(
    ("encoding", "dtype"), [("png", "uint8"), ("tiff", "uint8"), ("exr", "float16"), ("raw", "uint8")]
)
def test_a_file_that_cannot_grow_is_no_result(tmp_path: Path, encoding: str, dtype: str) -> None:
    command = [sys.executable, "-c", LIMITED, encoding, dtype, str(tmp_path / "out")]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert result.stdout.split() in (["disk_failed", "False"], ["disk_full", "False"]), result.stderr[-800:]


def test_sniffing_agrees_with_the_files(tmp_path: Path) -> None:
    for encoding in FILES:
        assert sniff(sound(tmp_path, encoding).read_bytes()[:16]) is encoding
