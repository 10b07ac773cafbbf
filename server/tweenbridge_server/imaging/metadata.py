"""What becomes of every field of a file that an in-between is made like: one table, in one place.

A result has the fields of its gap's first keyframe, but for those that would be untrue of it: what describes how the
old file was laid out, what differs from frame to frame, what belongs to parts that were left out. Colour has a place of
its own (`declared.py`). `docs/formats.md` shows the table; each row has its test.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from typing import Final

import OpenImageIO as oiio
from tweenbridge.pixels import Encoding


class Fate(str, Enum):
    """What becomes of a field."""

    KEPT = "kept"
    CONVERTED = "converted"
    DROPPED = "dropped"


@dataclass(frozen=True)
class Row:
    """Fields and their fate.

    Attributes:
        fields: names as OpenImageIO has them, in lower case; * stands for anything.
        words: what users call them.
        same: their fate in results of the keyframe's own format.
        other: their fate in results of another format.
        why: in a few words, for the page.
    """

    fields: tuple[str, ...]
    words: str
    same: Fate
    other: Fate
    why: str


_K, _C, _D = Fate.KEPT, Fate.CONVERTED, Fate.DROPPED

TABLE: Final = (
    Row(("iccprofile", "iccprofile:*", "chromaticities", "cicp", "oiio:colorspace", "oiio:gamma", "exif:colorspace",
         "colorinteropid", "acesimagecontainerflag", "whiteluminance", "adoptedneutral", "jpeg:colorspace",
         "tiff:whitepoint", "tiff:primarychromaticities", "tiff:transferfunction"),
        "colour: profile, primaries, curve", _C, _C, "said once, as the samples are"),
    Row(("smpte:timecode", "smpte:keycode", "timecode", "keycode", "dpx:timecode", "dpx:userbits", "dpx:frameposition",
         "imagecounter", "framenumber"),
        "time code, key code, frame number", _D, _D, "another in every frame, and none is known between two"),
    Row(("cryptomatte/*",), "cryptomatte manifests", _D, _D, "of layers that are left out"),
    Row(("thumbnail*", "preview", "exif:jpeginterchangeformat*"), "thumbnails", _D, _D, "show the keyframe"),
    Row(("orientation",), "orientation", _K, _D, "rows are turned back; elsewhere the picture is upright"),
    Row(("compression", "jpeg:*", "openexr:dwacompressionlevel", "openexr:lineorder", "compressionquality"),
        "compression", _K, _D, "where it loses nothing or is the format's own; else the format's usual one"),
    Row(("planarconfig", "chunkcount", "name", "version", "type", "fovcot", "oiio:*", "tiff:*", "png:*", "gif:*",
         "webp:*", "openexr:*", "multiview", "view", "textureformat", "wrapmodes", "softimage:*", "bmp:*", "dpx:*",
         "exif:pixelxdimension", "exif:pixelydimension", "exif:exifversion", "exif:flashpixversion",
         "exif:componentsconfiguration"),
        "layout: tiles, strips, parts, page structure", _D, _D, "worked out anew"),
    Row(("pixelaspectratio", "xresolution", "yresolution", "resolutionunit"),
        "pixel aspect, resolution", _K, _K, "anamorphic stays anamorphic, in films too"),
    Row(("framespersecond", "capturerate"), "frame rate", _K, _K, "that of the shot"),
    Row(("datetime", "exif:datetimeoriginal", "exif:datetimedigitized", "utcoffset", "exif:subsectime*"),
        "dates", _K, _K, "the keyframe's; never today's"),
    Row(("imagedescription",), "description, comment", _K, _K, "but for one that describes a stack of pages"),
    Row(("*",), "everything else: author, copyright, Exif, IPTC, XMP, own fields", _K, _K, "the first keyframe's"),
)  # fmt: skip
"""The first row that has a field counts."""


def row_of(field: str) -> Row:
    """The table's row for a field."""
    name = field.lower()
    return next(row for row in TABLE if any(fnmatchcase(name, pattern) for pattern in row.fields))


def describes_a_stack(text: str) -> bool:
    """Whether a TIFF's description is of a stack or of samples in it (ImageJ, tifffile, OME), not of a picture."""
    start = text.lstrip()
    if start.startswith("ImageJ=") or "<OME" in start[:1000]:
        return True
    try:
        said = json.loads(start) if start.startswith("{") else None
    except ValueError:
        return False
    return isinstance(said, dict) and "shape" in said


def kept(tags: oiio.ParamValueList, source: Encoding, target: Encoding) -> oiio.ParamValueList:
    """The fields that a result in `target` has, of those of a keyframe in `source`. Colour is not among them."""
    result = oiio.ParamValueList()
    for tag in tags:
        row = row_of(tag.name)
        fate = row.same if source is target else row.other
        if fate is not Fate.KEPT:
            continue
        if tag.name.lower() == "imagedescription" and describes_a_stack(str(tag.value)):
            continue
        result.append(tag)
    return result


def is_faithful(tags: oiio.ParamValueList) -> bool:
    """Whether nothing of a file would be dropped that says something untrue of a copy of it."""
    for tag in tags:
        row = row_of(tag.name)
        if row.fields[0] in ("smpte:timecode", "cryptomatte/*"):
            return False
        if tag.name.lower() == "imagedescription" and describes_a_stack(str(tag.value)):
            return False
    return True
