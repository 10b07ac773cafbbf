"""Keyframes of jobs: small pictures that no two seeds share."""

from __future__ import annotations

import random

from fakes.pictures import png


def keyframes(seed: int, count: int, side: int, engine: str = "blend") -> list[bytes]:
    """`count` PNG files of `side` by `side` pixels: noise that grows brighter; for `flow`, a square that moves."""
    chance = random.Random(seed)
    if engine == "flow":
        return [_square(seed, step, max(side, 64)) for step in range(count)]
    ground = chance.randbytes(3 * side * side)
    return [_png(ground.translate(_brighter(9 * step)), side) for step in range(count)]


def _brighter(by: int) -> bytes:
    return bytes(20 + by + value // 2 for value in range(256))


def _png(pixels: bytes, side: int) -> bytes:
    return png([pixels[begin : begin + 3 * side] for begin in range(0, len(pixels), 3 * side)], side)


def _square(seed: int, step: int, side: int) -> bytes:
    chance = random.Random(seed)
    ground = [bytes(chance.randrange(30, 110) for _ in range(3)) for _ in range(side)]
    square = bytes((chance.randrange(180, 256), 220, chance.randrange(60)))
    left, top, edge = side // 4 + 3 * step, side // 3, side // 4
    rows = bytearray()
    for y in range(side):
        row = bytearray(ground[y] * side)
        if top <= y < top + edge:
            row[3 * left : 3 * (left + edge)] = square * edge
        rows += row
    return _png(bytes(rows), side)
