"""Scenes by their numbers: the same seed, category, drawings and size give the same scene anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from .backdrops import backdrop, endless
from .categories import RECIPES
from .drawings import Drawings
from .layers import Frame, Layer, Stage, View, view
from .looks import colour
from .scene import Category, Middle, Scene
from .studio import Studio, studio
from .truth import exact

HELD_OUT_SEEDS: Final = 1_000_000_000
"""The first seed of the scenes that are for judging; training uses those below."""
SIZE: Final = (256, 320)
_GRAIN: Final = 0.25
_COMPRESSED: Final = 0.2
_BLURRED: Final = 0.2


@dataclass(frozen=True)
class _Finish:
    """What is done to whole frames: blur, a fade to a colour, and, in keyframes, grain and compression."""

    blur: float = 0.0
    fade: tuple[float, float] = (0.0, 0.0)
    fade_to: tuple[int, int, int] = (0, 0, 0)
    grain: float = 0.0
    compressed: int = 0


def draw_scene(
    seed: int,
    category: Category | str,
    drawings: Drawings,
    size: tuple[int, int] = SIZE,
    times: Sequence[float] = (0.5,),
    steps: bool = False,
) -> Scene:
    """A scene with the truth at `times`.

    Args:
        seed: at least 0; from HELD_OUT_SEEDS on for judging.
        category: what it is about.
        drawings: of one split.
        size: (height, width) in pixels.
        times: of the middles, ascending, each from 0 to 1.
        steps: also the exact motion from each frame to the next.
    """
    category = Category(category)
    recipe, stage = RECIPES[category], Stage(*size)
    place = studio(seed, list(Category).index(category), drawings, stage, recipe.still, recipe.pan)
    layers: list[Layer] = [_ground(place, category)]
    layers += place.things(0, recipe.extras)
    layers += recipe.build(place)
    finish = _finish(place, category, recipe.is_clean)
    a, b = view(layers, stage, 0.0), view(layers, stage, 1.0)
    (forward,) = exact(layers, a, 0.0, [(b, 1.0)])
    (backward,) = exact(layers, b, 1.0, [(a, 0.0)])
    seen = [view(layers, stage, t) for t in times]
    middles = tuple(_middle(layers, now, t, a, b, finish) for now, t in zip(seen, times))
    every = [(a, 0.0), *zip(seen, times), (b, 1.0)] if steps else []
    onwards = tuple(exact(layers, here, t, [after])[0] for (here, t), after in zip(every, every[1:]))
    grain = np.random.default_rng([19, seed])
    return Scene(
        category,
        seed,
        _keyframe(a, 0.0, finish, grain),
        _keyframe(b, 1.0, finish, grain),
        middles,
        forward.flow,
        backward.flow,
        forward.known,
        backward.known,
        forward.visible,
        backward.visible,
        len(layers),
        onwards,
    )


def _ground(place: Studio, category: Category) -> Layer:
    motion = place.screen if category is Category.PARALLAX else place.camera
    ground = backdrop(
        place.rng, place.drawings, place.stage, motion, busy=category in (Category.OVERLAY, Category.FADE)
    )
    if category is Category.LINE_ART and place.chance(0.75):
        paper: Frame = np.empty((64, 64, 3), np.uint8)
        paper[:] = 255 if place.chance(0.6) else colour(place.rng, 0.8)
        return endless(paper, place.stage, motion)
    return ground


def _finish(place: Studio, category: Category, is_clean: bool) -> _Finish:
    fade, fade_to = (0.0, 0.0), (0, 0, 0)
    if category is Category.FADE:
        fade = (place.some(0, 0.25), place.some(0.4, 0.9))
        fade = fade if place.chance(0.5) else fade[::-1]
        fade_to = (0, 0, 0) if place.chance(0.6) else (255, 255, 255) if place.chance(0.5) else colour(place.rng)
    if is_clean:
        return _Finish(fade=fade, fade_to=fade_to)
    return _Finish(
        blur=place.some(0.4, 0.9) * place.stage.scale if place.chance(_BLURRED) else 0.0,
        fade=fade,
        fade_to=fade_to,
        grain=place.some(0.5, 3) if place.chance(_GRAIN) else 0.0,
        compressed=place.count(45, 95) if place.chance(_COMPRESSED) else 0,
    )


def _shown(frame: Frame, t: float, finish: _Finish) -> Frame:
    if finish.blur:
        frame = cv2.GaussianBlur(frame, (0, 0), finish.blur)
    share = finish.fade[0] + t * (finish.fade[1] - finish.fade[0])
    if share:
        full = np.empty_like(frame)
        full[:] = finish.fade_to
        frame = cv2.addWeighted(frame, 1 - share, full, share, 0)
    return frame


def _keyframe(seen: View, t: float, finish: _Finish, rng: np.random.Generator) -> Frame:
    frame = _shown(seen.frame, t, finish)
    if finish.grain:
        grain = np.rint(rng.standard_normal(frame.shape[:2], np.float32) * np.float32(finish.grain)).astype(np.int16)
        frame = cv2.add(frame, cv2.merge([grain] * 3), dtype=cv2.CV_8U)
    if finish.compressed:
        _, coded = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, finish.compressed])
        frame = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    return frame


def _middle(layers: list[Layer], seen: View, t: float, a: View, b: View, finish: _Finish) -> Middle:
    to_a, to_b = exact(layers, seen, t, [(a, 0.0), (b, 1.0)])
    return Middle(t, _shown(seen.frame, t, finish), to_a.flow, to_b.flow, to_a.known, to_a.visible, to_b.visible)
