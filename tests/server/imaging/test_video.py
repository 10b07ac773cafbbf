"""Exact frames out of real videos, and videos that are what they should be."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.video.frame import VideoFrame as RawFrame
from numpy.typing import NDArray
from stills import gradient, save
from tweenbridge.pixels import Encoding
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge_server.imaging import video

BARS = np.uint8(
    [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [0, 255, 255], [255, 0, 255], [255] * 3, [0] * 3]
)
COUNT = 40


def numbered(number: int, height: int = 144, width: int = 192) -> NDArray[np.uint8]:
    """Colour bars above, and the frame's number in binary below."""
    picture = np.full((height, width, 3), 128, np.uint8)
    for bit in range(8):
        columns = slice(bit * width // 8, (bit + 1) * width // 8)
        picture[: height // 3, columns] = BARS[bit]
        picture[height // 3 : 2 * height // 3, columns] = 255 if number >> bit & 1 else 0
    return picture


def number_of(picture: NDArray[np.uint8]) -> int:
    height, width = picture.shape[:2]
    return sum(1 << bit for bit in range(8) if picture[height // 2, int((bit + 0.5) * width / 8), :3].mean() > 128)


def bars_of(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    return np.stack([picture[height // 6, int((bar + 0.5) * width / 8), :3] for bar in range(8)])


def make(
    path: Path, codec: str, pixels: str, container: str, matrix: int | None = None, full: bool = False, bframes: int = 2
) -> Path:
    with av.open(str(path), "w", format=container) as output:
        stream = output.add_stream(codec, rate=25, options={"bf": str(bframes), "g": "12"})
        stream.width, stream.height, stream.pix_fmt = 192, 144, pixels
        if matrix is not None:
            stream.codec_context.colorspace = matrix
        stream.codec_context.color_range = 2 if full else 1
        for number in range(COUNT):
            frame = RawFrame.from_ndarray(numbered(number), format="rgb24").reformat(
                format=pixels, dst_colorspace=matrix or 5, src_color_range=2, dst_color_range=2 if full else 1
            )
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def grabbed(path: Path, **position: object) -> NDArray[np.uint8]:
    out = path.with_name("grabbed.png")
    video.grab(video.VideoFrame(path, **position), out)  # type: ignore[arg-type]
    picture = cv2.imread(str(out), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    return picture[..., [2, 1, 0, 3][: picture.shape[2]]]


KINDS = [
    ("a.mp4", "libx264", "yuv420p", "mp4", None, False),
    ("b.mp4", "libx264", "yuv420p", "mp4", 1, False),
    ("c.mp4", "libx264", "yuv444p", "mp4", 1, True),
    ("d.mkv", "libx264", "yuv420p10le", "matroska", 5, False),
    ("e.ts", "libx264", "yuv420p", "mpegts", None, False),
    ("f.h264", "libx264", "yuv420p", "h264", None, False),
    ("g.avi", "mpeg4", "yuv420p", "avi", None, False),
    ("h.mov", "prores_ks", "yuv444p10le", "mov", None, False),
    ("i.mov", "prores_ks", "yuva444p10le", "mov", None, False),
]


@pytest.mark.parametrize(("name", "codec", "pixels", "container", "matrix", "full"), KINDS)
def test_the_exact_frame_in_the_right_colours(
    tmp_path: Path, name: str, codec: str, pixels: str, container: str, matrix: int | None, full: bool
) -> None:
    path = make(tmp_path / name, codec, pixels, container, matrix, full)
    for number in (0, 1, 11, 12, 13, 26, COUNT - 1):
        picture = grabbed(path, number=number)
        assert number_of(picture) == number
    deep = "10" in pixels
    assert picture.dtype == (np.uint16 if deep else np.uint8)
    assert picture.shape == (144, 192, 4 if "yuva" in pixels else 3)
    assert np.abs(bars_of(picture) / (257 if deep else 1) - BARS.astype(float)).max() <= 3
    with pytest.raises(
        TweenbridgeError, match=f"has {COUNT} frames, 1.60 seconds; frame {COUNT} lies past its end"
    ) as caught:
        grabbed(path, number=COUNT)
    assert caught.value.code is ErrorCode.BAD_REQUEST
    assert caught.value.remedy == f"Choose a frame from 0 to {COUNT - 1}."


@pytest.mark.parametrize(("seconds", "number"), [("0", 0), ("0.039", 0), ("0.04", 1), ("1", 25), ("1.59", 39)])
def test_a_time_means_the_frame_that_shows(tmp_path: Path, seconds: str, number: int) -> None:
    path = make(tmp_path / "a.mp4", "libx264", "yuv420p", "mp4")
    assert number_of(grabbed(path, seconds=Fraction(seconds))) == number


@pytest.mark.parametrize("seconds", ["1.6", "3600"])
def test_a_time_past_the_end(tmp_path: Path, seconds: str) -> None:
    path = make(tmp_path / "a.mp4", "libx264", "yuv420p", "mp4")
    with pytest.raises(TweenbridgeError, match="past its end"):
        grabbed(path, seconds=Fraction(seconds))


@pytest.mark.parametrize(("matrix", "turns"), [((0, 1, -1, 0), 3), ((-1, 0, 0, -1), 2), ((0, -1, 1, 0), 1)])
def test_rotation_is_respected(tmp_path: Path, matrix: tuple[int, ...], turns: int) -> None:
    path = make(tmp_path / "a.mp4", "libx264", "yuv420p", "mp4")
    upright = grabbed(path, number=5)
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 4 + 40
    a, b, c, d = (value << 16 for value in matrix)
    data[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    assert np.array_equal(grabbed(path, number=5), np.rot90(upright, turns))


def test_what_is_no_video(tmp_path: Path) -> None:
    for name, content in (("a.mp4", b""), ("b.mp4", b"hello " * 100)):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(TweenbridgeError, match=f"{name} cannot be read as a video") as caught:
            grabbed(path, number=0)
        assert caught.value.code is ErrorCode.BAD_KEYFRAME
        assert str(tmp_path) not in str(caught.value)


def test_a_video_cut_off_never_gives_another_frame(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mkv", "libx264", "yuv420p", "matroska")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert number_of(grabbed(path, number=3)) == 3
    with pytest.raises(TweenbridgeError):
        grabbed(path, number=COUNT - 1)


# ---------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    ("position", "number", "seconds"),
    [
        ("36", 36, None),
        ("36f", 36, None),
        ("0", 0, None),
        ("1.5", None, Fraction(3, 2)),
        ("90s", None, 90),
        ("1.5s", None, Fraction(3, 2)),
        (".5", None, Fraction(1, 2)),
        ("00:01.5", None, Fraction(3, 2)),
        ("2:05", None, 125),
        ("1:02:03.25", None, Fraction(3723) + Fraction(1, 4)),
    ],
)
def test_keyframe_arguments(tmp_path: Path, position: str, number: int | None, seconds: Fraction | None) -> None:
    path = tmp_path / "my@clip.mp4"
    path.write_bytes(b"video")
    assert video.parse_keyframe_argument(f"{path}@{position}") == video.VideoFrame(path, number, seconds)


def test_plain_stills_are_no_frames(tmp_path: Path) -> None:
    still = tmp_path / "A@36"
    still.write_bytes(b"")
    (tmp_path / "A").write_bytes(b"")
    for argument in (str(still), "A.png", str(tmp_path / "none.mp4@36"), "a@2x.png"):
        assert video.parse_keyframe_argument(argument) is None


@pytest.mark.parametrize("position", ["", "x", "-3", "1:2:3:4", "1,5", "36frames"])
def test_senseless_positions_are_explained(tmp_path: Path, position: str) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"video")
    with pytest.raises(TweenbridgeError, match="neither a frame number nor a time") as caught:
        video.parse_keyframe_argument(f"{path}@{position}")
    assert "clip.mp4@36" in caught.value.remedy


# ---------------------------------------------------------------- encoding


@pytest.mark.parametrize(("height", "width"), [(144, 192), (145, 191), (33, 17)])
def test_a_video_of_stills(tmp_path: Path, height: int, width: int) -> None:
    paths = [
        save(tmp_path / f"{number:03}.png", Encoding.PNG, numbered(number, height, width)) for number in range(COUNT)
    ]
    out = tmp_path / "out.mp4"
    video.encode(paths, out, 23.976)
    with av.open(str(out)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (width + width % 2, height + height % 2)
        assert stream.average_rate == Fraction(24000, 1001)
        assert stream.frames == COUNT
        context = stream.codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (1, 1, 1, 1)
    for number in (0, 17, COUNT - 1):
        picture = grabbed(out, number=number)
        assert number_of(picture[:height, :width]) == number
    if height > 100:
        assert np.abs(bars_of(picture[:height, :width]).astype(int) - BARS).max() <= 6
    assert out.read_bytes().index(b"moov") < out.read_bytes().index(b"mdat")


@pytest.mark.parametrize(
    ("fps", "exact"),
    [(24, Fraction(24)), (29.97, Fraction(30000, 1001)), (59.94, Fraction(60000, 1001)), (12.5, Fraction(25, 2))],
)
def test_frame_rates(tmp_path: Path, fps: float, exact: Fraction) -> None:
    path = save(tmp_path / "a.png", Encoding.PNG, numbered(3))
    video.encode([path] * 5, tmp_path / "out.mp4", fps)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].average_rate == exact


def test_stills_of_every_kind_make_a_video(tmp_path: Path) -> None:
    paths = [
        save(tmp_path / "a.png", Encoding.PNG, gradient(40, 60, 4, "uint16")),
        save(tmp_path / "b.exr", Encoding.EXR, gradient(40, 60, 4, "float16") * np.float16(9)),
        save(tmp_path / "c.jpg", Encoding.JPEG, gradient(40, 60, 1, "uint8")),
        save(tmp_path / "d.tif", Encoding.TIFF, gradient(40, 60, 3, "float32")),
    ]
    video.encode(iter(paths), tmp_path / "out.mp4", 24)
    first = grabbed(tmp_path / "out.mp4", number=0)
    assert abs(int(first[20, 2].mean()) - 200) < 6


def test_what_cannot_be_a_video(tmp_path: Path) -> None:
    small = save(tmp_path / "a.png", Encoding.PNG, numbered(1))
    large = save(tmp_path / "b.png", Encoding.PNG, numbered(1, 200, 300))
    broken = tmp_path / "c.png"
    broken.write_bytes(small.read_bytes()[:200])
    out = tmp_path / "out.mp4"
    for frames, fps, said in (
        ([], 24, "no frames"),
        ([small, large], 24, "b.png is 300 x 200 pixels large, and the video's first frame 192 x 144"),
        ([small], 0, "0 frames per second"),
        ([small, broken], 24, "damaged"),
    ):
        with pytest.raises(TweenbridgeError, match=said):
            video.encode(frames, out, fps)
        assert not out.exists()
    with pytest.raises(TweenbridgeError, match=r"out\.mp4 could not be written"):
        video.encode([small], tmp_path / "no" / "out.mp4", 24)
