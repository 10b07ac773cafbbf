"""What a file says about its colours: read from its header, and written once, so that nothing can contradict.

PNG (3rd edition) has four ways, of which the first that is there counts: cICP, iCCP, sRGB, gAMA with cHRM (4.3). TIFF
and JPEG have ICC profiles. OpenEXR is linear light and may name its primaries (`chromaticities`). Nothing said means
sRGB, in OpenEXR and float TIFF linear light of Rec. 709.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, replace
from typing import Any, Final

import OpenImageIO as oiio
from tweenbridge.pixels import Colour, Encoding

from .spaces import (
    CICP_CURVES,
    CICP_PRIMARIES,
    DISPLAY_P3,
    HLG,
    LINEAR,
    LINEAR_REC709,
    PQ,
    REC709,
    REC2020,
    SRGB,
    SRGB_SPACE,
    Primaries,
    Space,
    profile_of,
    same,
    usable,
)

Chunks = tuple[tuple[bytes, bytes], ...]
"""Kinds and bodies of PNG chunks."""

_MOST_ICC: Final = 16 << 20


@dataclass(frozen=True)
class Declaration:
    """What a file says of its colours.

    Attributes:
        space: what the numbers mean.
        chunks: how a PNG said so.
        icc: the ICC profile as it was, where it is usable and of the right kind.
        chromaticities: as an OpenEXR file names them; () where it does not.
        trouble: why what the file says could not be believed, "" where it could.
    """

    space: Space = SRGB_SPACE
    chunks: Chunks = ()
    icc: bytes = b""
    chromaticities: Primaries = ()
    trouble: str = ""


_PRIMARY_NAMES: Final[dict[Primaries, str]] = {
    REC709: "Rec. 709",
    REC2020: "Rec. 2020",
    DISPLAY_P3: "Display P3",
    (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.3217, 0.3377): "ACES AP0",
    (0.713, 0.293, 0.165, 0.83, 0.128, 0.044, 0.3217, 0.3377): "ACES AP1",
}
"""Rounded to four digits."""

UNDECLARED: Final = Declaration()


def plain(colour: Colour) -> Declaration:
    """That of a file that says nothing."""
    return Declaration(LINEAR_REC709 if colour is Colour.SCENE_LINEAR else SRGB_SPACE)


def of_png(chunks: Chunks) -> Declaration:
    """What the colour chunks of a PNG say. Those that do not count, and damaged ones, are left out."""
    said = dict(reversed(chunks))
    if len(body := said.get(b"cICP", b"")) == 4 and body[0] in CICP_PRIMARIES and body[1] in CICP_CURVES:
        space = Space(primaries=CICP_PRIMARIES[body[0]], curve=CICP_CURVES[body[1]])
        light = tuple((kind, said[kind]) for kind in (b"mDCV", b"cLLI") if kind in said)
        return Declaration(space, ((b"cICP", body), *light))
    if b"iCCP" in said:
        icc = _unpacked(said[b"iCCP"])
        if usable(icc) and icc[16:20] in (b"RGB ", b"GRAY"):
            return Declaration(Space(icc=icc), ((b"iCCP", said[b"iCCP"]),), icc)
        return Declaration(trouble="its colour profile cannot be used")
    if b"sRGB" in said:
        return Declaration(chunks=((b"sRGB", said[b"sRGB"]),))
    space, kept = SRGB_SPACE, []
    if len(body := said.get(b"cHRM", b"")) == 32:
        white_x, white_y, *rest = (number / 100_000 for number in struct.unpack(">8I", body))
        primaries = (*rest, white_x, white_y)
        if _sensible(primaries):
            space = replace(space, primaries=primaries)
            kept.append((b"cHRM", body))
    if len(body := said.get(b"gAMA", b"")) == 4 and (gamma := struct.unpack(">I", body)[0]):
        # 45455 is what writers of sRGB pictures say.
        exponent = 100_000 / gamma
        curve = LINEAR if abs(exponent - 1) < 0.005 else SRGB if gamma == 45_455 else f"gamma {exponent:.5g}"
        if 0.1 < exponent < 10:
            space = replace(space, curve=curve)
            kept.append((b"gAMA", body))
    return Declaration(space, tuple(kept))


def of_file(spec: oiio.ImageSpec, encoding: Encoding, colour: Colour, channels: int) -> Declaration:
    """What the header of a TIFF, JPEG or OpenEXR file says."""
    if encoding is Encoding.EXR:
        numbers = spec.getattribute("chromaticities")
        primaries = tuple(float(number) for number in numbers) if numbers is not None and len(numbers) == 8 else ()
        if not primaries:
            return plain(colour)
        if _sensible(primaries):
            space = Space(primaries=primaries, curve=plain(colour).space.curve)
            return Declaration(space, chromaticities=primaries)
        return replace(plain(colour), trouble="its primaries make no sense")
    icc = _bytes(spec.getattribute("ICCProfile"))
    if not icc:
        return plain(colour)
    fits = icc[16:20] == (b"GRAY" if channels < 3 else b"RGB ") or (channels < 3 and icc[16:20] == b"RGB ")
    if fits and len(icc) <= _MOST_ICC and usable(icc):
        return Declaration(Space(icc=icc), icc=icc)
    return replace(plain(colour), trouble="its colour profile is not one of such pictures or cannot be used")


def fitting(
    declaration: Declaration, source: Encoding, target: Encoding, colour: Colour, target_colour: Colour
) -> Space:
    """The space of results in an encoding: as the keyframe's where the file can say so, else the plain one."""
    if target_colour is Colour.SCENE_LINEAR:
        kept = source is target and colour is target_colour
        return declaration.space if kept else LINEAR_REC709
    if colour is Colour.SCENE_LINEAR:
        return SRGB_SPACE
    if declaration.space.is_hdr and target is not Encoding.PNG and source is not Encoding.RAW:
        return SRGB_SPACE
    return declaration.space


def png_chunks(declaration: Declaration, space: Space, gray: bool, colour: Colour) -> Chunks:
    """How a PNG says that its numbers are of `space`: one declaration. `colour` is that of the samples."""
    if colour is Colour.SCENE_LINEAR and not declaration.chunks:
        space = replace(space, curve=LINEAR)
    if declaration.space == space and declaration.chunks:
        return declaration.chunks
    if same(space, SRGB_SPACE):
        return () if declaration.space == space and not declaration.icc else ((b"sRGB", b"\0"),)
    if space.is_gray != gray and space.icc:
        return ()
    if not space.icc:
        for number, primaries in CICP_PRIMARIES.items():
            for curve, name in CICP_CURVES.items():
                if primaries == space.primaries and name == space.curve:
                    return ((b"cICP", bytes([number, curve, 0, 1])),)
    return ((b"iCCP", b"ICC profile\0\0" + zlib.compress(profile_of(space), 9)),)


def icc_for(declaration: Declaration, space: Space, gray: bool, colour: Colour) -> bytes:
    """The ICC profile that says so in a TIFF or a JPEG; b"" where nothing need be said."""
    if declaration.space == space and declaration.icc:
        return declaration.icc
    if space == plain(colour).space or same(space, plain(colour).space):
        return b""
    if gray and not space.is_gray:
        return b""
    return profile_of(space)


def name_of(space: Space) -> str:
    """What users call a space."""
    if space.icc:
        return _description(space.icc) or "an ICC profile"
    if space == SRGB_SPACE:
        return "sRGB"
    primaries = _PRIMARY_NAMES.get(tuple(round(number, 4) for number in space.primaries), "its own primaries")
    curve = {LINEAR: "linear light", SRGB: "sRGB curve", PQ: "PQ", HLG: "HLG"}.get(space.curve, space.curve)
    return f"{primaries} ({curve})"


def _description(icc: bytes) -> str:
    """The text of a profile's `desc` tag (ICC.1:2001, 6.5.17; ICC.1:2022, 10.15)."""
    try:
        for index in range(min(struct.unpack_from(">I", icc, 128)[0], 100)):
            tag, at, size = struct.unpack_from(">4sII", icc, 132 + 12 * index)
            if tag != b"desc":
                continue
            body = icc[at : at + size]
            if body[:4] == b"desc":
                return body[12 : 12 + struct.unpack_from(">I", body, 8)[0]].split(b"\0")[0].decode("ascii", "ignore")
            length, offset = struct.unpack_from(">II", body, 20)
            return body[offset : offset + length].decode("utf-16-be", "ignore")
    except struct.error:
        return ""
    return ""


def _unpacked(body: bytes) -> bytes:
    name, _, rest = body.partition(b"\0")
    try:
        return zlib.decompressobj().decompress(rest[1:], _MOST_ICC) if name else b""
    except zlib.error:
        return b""


def _sensible(primaries: Primaries) -> bool:
    """Whether three primaries are a triangle with a white point."""
    rx, ry, gx, gy, bx, by, _, wy = primaries
    area = abs((gx - rx) * (by - ry) - (bx - rx) * (gy - ry))
    return (
        area > 1e-3 and wy > 1e-3 and all(abs(number) < 10 for number in primaries) and all(ry for ry in (ry, gy, by))
    )


def _bytes(value: Any) -> bytes:
    return b"" if value is None or isinstance(value, str) else bytes(bytearray(value))
