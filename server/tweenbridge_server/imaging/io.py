"""Keyframe files to engine-ready pixels, and an engine's pixels to result files like the keyframe's.

A result has its keyframes' size, channels, depth, encoding, colours and fields (docs/formats.md). Written back
untouched, 8-bit and 16-bit samples are exact (straight colour where alpha is not 0), half floats too; float32 is within
1e-5 of each value. Exceptions are what the encodings cannot do: JPEG and lossy OpenEXR compressions lose by themselves;
1-bit and palette images come back as 8-bit grey, RGB or RGBA, because an in-between has shades that they lack.
"""

from __future__ import annotations

from .formats import check_alike, result_format
from .pairing import Pair, pair
from .reading import probe, read
from .still import Still
from .writing import remarks_on_results, rewrite, space_of, write

__all__ = [
    "Pair",
    "Still",
    "check_alike",
    "pair",
    "probe",
    "read",
    "remarks_on_results",
    "result_format",
    "rewrite",
    "space_of",
    "write",
]
