"""A drawn scene: two keyframes and all that is true between them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from .layers import Frame, Mask
from .truth import Exact, Flow


class Category(str, Enum):
    """What a scene is about."""

    FIGURE = "figure"
    """Limbs on joints."""
    BENDING = "bending"
    """Things that are not rigid."""
    TURNING_HEAD = "turning head"
    FACE = "face"
    """Eyes and mouths that open and close."""
    HAIR = "hair"
    CLOTH = "cloth"
    APPEARING = "appearing"
    """Things that appear or vanish."""
    CROSSING = "crossing"
    """Things that hide one another."""
    LINE_ART = "line art"
    CEL = "cel"
    """Flat colours, outlines and shadows over a painted ground."""
    PARALLAX = "parallax"
    """Planes of a painted ground under a camera that pans and zooms."""
    GROWING = "growing"
    """A thing that grows or shrinks over still patterned ground."""
    BAR = "bar"
    """Turning parts of two colours."""
    OVERLAY = "overlay"
    """A still logo or subtitle over a moving ground."""
    LETTERBOX = "letterbox"
    """Still bars around a moving picture."""
    FADE = "fade"
    """The picture fades while the camera pans."""
    THIN_LINES = "thin lines"
    SMALL_FAST = "small and fast"


@dataclass(frozen=True)
class Middle:
    """The truth between the keyframes.

    Attributes:
        t: its time, from 0 to 1.
        frame: (H, W, 3) RGB.
        to_a, to_b: (H, W, 2) from this frame's pixels to their places in the keyframes, in pixels.
        known: (H, W) where both are exact: everywhere but where a thing is seen through another that fades.
        in_a, in_b: (H, W) where a pixel's place is seen in that keyframe, too.
    """

    t: float
    frame: Frame
    to_a: Flow
    to_b: Flow
    known: Mask
    in_a: Mask
    in_b: Mask


@dataclass(frozen=True)
class Scene:
    """A gap between two keyframes.

    Attributes:
        a, b: the keyframes, (H, W, 3) RGB.
        middles: the truth at the times asked for.
        forward, backward: (H, W, 2) from a's pixels to their places in b, and from b's to a; in pixels, also where the
            other keyframe does not show the place.
        known_forward, known_backward: (H, W) where those are exact.
        visible_forward, visible_backward: (H, W) where, besides, the place is seen in the other keyframe.
        steps: from a to the first middle, on to the next, and from the last to b; () where nobody asked.
        layers: how many things it is made of.
    """

    category: Category
    seed: int
    a: Frame
    b: Frame
    middles: tuple[Middle, ...]
    forward: Flow
    backward: Flow
    known_forward: Mask
    known_backward: Mask
    visible_forward: Mask
    visible_backward: Mask
    layers: int
    steps: tuple[Exact, ...] = ()
