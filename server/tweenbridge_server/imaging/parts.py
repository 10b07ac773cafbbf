"""Which part of a file, and which of its channels, are the picture: pure decisions on names.

OpenEXR files of renderers hold layers (`ViewLayer.Combined.R`), depth, normals and mattes beside the picture, in one
part or in several ("Technical Introduction to OpenEXR", Channel names and Multi-part files). The beauty is told by the
usual names; everything else is left out, and said.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_COLOUR: Final = {"r": 0, "red": 0, "g": 1, "green": 1, "b": 2, "blue": 2}
_ALPHA: Final = frozenset({"a", "alpha"})
_GRAY: Final = frozenset({"y", "l", "gray", "grey", "luminance"})
_BEAUTY: Final = ("beauty", "combined", "rgba", "rgb", "c", "color", "colour", "master", "primary", "main", "final")
_DATA: Final = re.compile(
    r"crypto|depth|normal|position|motion|vector|velocity|^(n|p|z|uv|st|id|ao)$|index|mist|matte|mask|shadow|denois",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Part:
    """What a part's header shows: its name, its channels in order, and which of them is alpha (-1: none)."""

    name: str
    channels: tuple[str, ...]
    alpha: int = -1


@dataclass(frozen=True)
class Layer:
    """A picture in a file.

    Attributes:
        part: the part's number.
        name: as users call it, "ViewLayer.Combined"; "" for the plain picture of a file of one part.
        channels: numbers of its channels in the part: grey, grey and alpha, RGB, or RGBA.
    """

    part: int
    name: str
    channels: tuple[int, ...]


def layers(parts: Sequence[Part]) -> tuple[Layer, ...]:
    """All pictures in a file, in its order."""
    found = []
    for number, part in enumerate(parts):
        groups: dict[str, dict[str, int]] = {}
        for index, channel in enumerate(part.channels):
            prefix, _, last = channel.rpartition(".")
            groups.setdefault(prefix, {})[last.lower()] = index
        for prefix, names in groups.items():
            channels = _picture(names, part.alpha if not prefix else -1)
            if channels:
                found.append(Layer(number, _full_name(part.name, prefix), channels))
    return tuple(found)


def choose(parts: Sequence[Part], wanted: str = "") -> Layer | None:
    """The layer called `wanted`, or else the beauty by the usual names; None where there is no such picture."""
    found = layers(parts)
    if wanted:
        return next((layer for layer in found if layer.name.lower() == wanted.lower()), None)
    if found:
        return min(found, key=_rank)
    single = [number for number, part in enumerate(parts) if len(part.channels) in (1, 2)]
    if not single:
        return None
    # A depth map alone, say: its first channel is looked at as grey.
    return Layer(single[0], parts[single[0]].name, (0,))


def left_out(parts: Sequence[Part], chosen: Layer) -> tuple[str, ...]:
    """What of the file is not in the chosen layer, as people call it, each once."""
    names = []
    for number, part in enumerate(parts):
        for index, channel in enumerate(part.channels):
            if number == chosen.part and index in chosen.channels:
                continue
            prefix, _, last = channel.rpartition(".")
            picture = last.lower() in _COLOUR or last.lower() in _ALPHA
            shown = prefix if prefix else (part.name if picture and part.name else last)
            names.append(shown if number == chosen.part or not part.name else _full_name(part.name, prefix) or shown)
    return tuple(dict.fromkeys(names))


def _picture(names: dict[str, int], alpha: int) -> tuple[int, ...]:
    """The channels of a picture among those of one prefix (lower case name to number); () where there is none."""
    colour = {_COLOUR[name]: index for name, index in names.items() if name in _COLOUR}
    cover = [index for name, index in names.items() if name in _ALPHA or index == alpha][:1]
    if len(colour) == 3:
        return (colour[0], colour[1], colour[2], *cover)
    gray = [index for name, index in names.items() if name in _GRAY]
    return (gray[0], *cover) if gray else ()


def _full_name(part: str, prefix: str) -> str:
    """The part's name and the channels' prefix; writers of several parts often repeat the one in the other."""
    if not part or prefix.startswith(part):
        return prefix
    return f"{part}.{prefix}" if prefix and not part.endswith(prefix) else part


def _rank(layer: Layer) -> tuple[int, int, int]:
    """Smaller is likelier to be the picture that people mean."""
    words = [word.lower() for word in layer.name.split(".") if word]
    if any(_DATA.search(word) for word in words):
        kind = 4
    elif not words:
        kind = 0
    elif words[-1] in _BEAUTY:
        kind = 1 if words[0] in ("composite", *_BEAUTY) else 2
    else:
        kind = 3
    return kind, 0 if len(layer.channels) > 2 else 1, layer.part
