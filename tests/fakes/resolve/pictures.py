"""Pictures for the fake: small 16-bit RGB images as flat lists, drawn, written as TIFF, and read from sequences."""

from __future__ import annotations

import array
import functools
import struct
import sys

WIDTH, HEIGHT = 96, 54


@functools.lru_cache(maxsize=512)
def draw(frame, seed=0):
    """A textured ground with a textured square that moves right by two pixels a frame. Not to be written to."""
    samples = array.array("H")
    left, top = 8 + 2 * frame, 18 + 3 * (seed % 4)
    for y in range(HEIGHT):
        for x in range(WIDTH):
            if left <= x < left + 18 and top <= y < top + 18:
                u, v = x - left, y - top
                samples.extend((52000 - 900 * u, 30000 + 1200 * v, 12000 + 700 * (u ^ v)))
            else:
                value = 9000 + 60 * abs((2 * x + 3 * y + 31 * seed) % 96 - 48)
                samples.extend((value, value + 2000, value + 5000 + 90 * y))
    return samples


def with_title(samples):
    """The same with a white bar near the bottom, as a title has."""
    titled = array.array("H", samples)
    for y in range(42, 48):
        start = 3 * (WIDTH * y + 20)
        titled[start : start + 3 * 56] = array.array("H", [65535] * (3 * 56))
    return titled


def brighter(samples, by):
    """The same, brighter."""
    return array.array("H", [min(65535, sample + by) for sample in samples]) if by else samples


def black():
    """Where nothing lies on the timeline."""
    return array.array("H", bytes(WIDTH * HEIGHT * 6))


def _with_alpha(samples, width):
    """Four samples to a pixel; the left third is transparent."""
    four = array.array("H")
    for pixel in range(len(samples) // 3):
        opaque = pixel % width >= width // 3
        four.extend(samples[3 * pixel : 3 * pixel + 3] if opaque else (0, 0, 0))
        four.append(65535 if opaque else 0)
    return four


def write_tiff(path, samples, scale=1, bits=16, alpha=False):
    """Write a picture big-endian, in two strips, with a date in it, as cameras and editors do."""
    width, height = WIDTH // scale, HEIGHT // scale
    if scale > 1:
        rows = [samples[3 * WIDTH * y * scale :][: 3 * WIDTH] for y in range(height)]
        samples = array.array("H")
        for row in rows:
            for x in range(width):
                samples.extend(row[3 * x * scale : 3 * x * scale + 3])
    channels = 4 if alpha else 3
    big = array.array("H", _with_alpha(samples, width) if alpha else samples)
    if sys.byteorder == "little":
        big.byteswap()
    data = big.tobytes() if bits == 16 else bytes(sample >> 8 for sample in samples)
    assert bits == 16 or not alpha
    upper = (height + 1) // 2
    cut = upper * width * channels * bits // 8
    start = 8
    date = b"2026:11:28 10:00:00\0"
    extra = start + len(data)
    bits_at, offsets_at = extra, extra + 2 * channels
    counts_at, date_at = offsets_at + 8, offsets_at + 16
    directory_at = date_at + len(date)
    entries = [
        (256, 3, 1, struct.pack(">HH", width, 0)), (257, 3, 1, struct.pack(">HH", height, 0)),
        (258, 3, channels, struct.pack(">I", bits_at)), (259, 3, 1, struct.pack(">HH", 1, 0)),
        (262, 3, 1, struct.pack(">HH", 2, 0)), (273, 4, 2, struct.pack(">I", offsets_at)),
        (277, 3, 1, struct.pack(">HH", channels, 0)), (278, 3, 1, struct.pack(">HH", upper, 0)),
        (279, 4, 2, struct.pack(">I", counts_at)), (284, 3, 1, struct.pack(">HH", 1, 0)),
        (306, 2, len(date), struct.pack(">I", date_at)),
    ]  # fmt: skip
    if alpha:
        entries.append((338, 3, 1, struct.pack(">HH", 2, 0)))
    with open(path, "wb") as file:
        file.write(b"MM\0*" + struct.pack(">I", directory_at) + data)
        file.write(struct.pack(f">{channels}H", *[bits] * channels))
        file.write(struct.pack(">II", start, start + cut) + struct.pack(">II", cut, len(data) - cut) + date)
        file.write(struct.pack(">H", len(entries)))
        for tag, kind, count, value in entries:
            file.write(struct.pack(">HHI", tag, kind, count) + value)
        file.write(struct.pack(">I", 0))


def read_image(path):
    """Any image file as 16-bit RGB samples, scaled to fill the timeline, as Resolve does."""
    import OpenImageIO as oiio

    pixels = oiio.ImageBuf(str(path)).get_pixels(oiio.UINT16)
    height, width, _ = pixels.shape
    rows, columns = [y * height // HEIGHT for y in range(HEIGHT)], [x * width // WIDTH for x in range(WIDTH)]
    return array.array("H", pixels[rows][:, columns, :3].tobytes())
