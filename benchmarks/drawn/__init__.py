"""Scenes that look like drawings, of which everything is known: the in-betweens, the motion, and what is hidden.

    from drawn import Category, draw_scene, load_drawings
    drawings = load_drawings("training")
    scene = draw_scene(17, Category.HAIR, drawings)

The drawings are collected once: `python benchmarks/drawn/drawings.py` (see there). Nothing here needs more than numpy
and OpenCV.
"""

from .drawing import HELD_OUT_SEEDS, SIZE, draw_scene
from .drawings import Drawings, load_drawings
from .scene import Category, Middle, Scene

__all__ = ["HELD_OUT_SEEDS", "SIZE", "Category", "Drawings", "Middle", "Scene", "draw_scene", "load_drawings"]
