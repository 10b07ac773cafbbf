"""Edges between motions come out even, stay where they are, and leave everything else alone."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from tweenbridge_server.engines.base import Flow, Map
from tweenbridge_server.engines.optical_flow import settle
from tweenbridge_server.engines.optical_flow.settle import settle_edges

HEIGHT, WIDTH = 150, 210


def halves(seed: int = 0) -> tuple[Flow, Flow, Map]:
    """Left of column 100 something moves by (20, 5) in all, right of it nothing does; noise far below a pixel."""
    noise = np.random.default_rng(seed)
    way_a = noise.normal(0, 0.05, (HEIGHT, WIDTH, 2)).astype(np.float32)
    way_b = noise.normal(0, 0.05, (HEIGHT, WIDTH, 2)).astype(np.float32)
    way_a[:, :100] += np.array([10, 2.5], np.float32)
    way_b[:, :100] -= np.array([10, 2.5], np.float32)
    share = np.full((HEIGHT, WIDTH), 0.5, np.float32)
    share[:, :100] = 0.75
    return way_a, way_b, share


def test_specks_and_bites_go_and_the_edge_stays() -> None:
    way_a, way_b, share = halves()
    clean = [values.copy() for values in (way_a, way_b, share)]
    for row, column in ((40, 102), (64, 101), (90, 97), (127, 98)):
        for values in (way_a, way_b, share):
            values[row, column] = values[row, WIDTH - column]
    settle_edges(way_a, way_b, share)
    for values, expected in zip((way_a, way_b, share), clean):
        np.testing.assert_allclose(values, expected, atol=0.3)


def test_what_is_far_from_edges_is_not_touched() -> None:
    before, after = halves(), halves()
    settle_edges(*after)
    far = np.ones((HEIGHT, WIDTH), np.bool_)
    far[:, 95:105] = False
    for one, other in zip(before, after):
        np.testing.assert_array_equal(one[far], other[far])


def test_a_flow_that_changes_smoothly_has_no_edges() -> None:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    way = np.dstack([columns * np.float32(0.9), rows * np.float32(-1.2)])
    there, back, share = way.copy(), -way, np.full((HEIGHT, WIDTH), 0.5, np.float32)
    settle_edges(there, back, share)
    np.testing.assert_array_equal(there, way)
    np.testing.assert_array_equal(back, -way)


@pytest.mark.parametrize("tile", [16, 64])
def test_tiles_leave_no_seams(monkeypatch: pytest.MonkeyPatch, tile: int) -> None:
    noise = np.random.default_rng(3)
    blobs = cv2.resize(noise.random((12, 16), np.float32), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC) > 0.5
    way_a, way_b, share = halves(4)
    for values in (way_a, way_b, share):
        values[blobs] = values[:, ::-1][blobs]
    whole, tiled = ([values.copy() for values in (way_a, way_b, share)] for _ in range(2))
    monkeypatch.setattr(settle, "_TILE", 1000)
    settle_edges(*whole)
    monkeypatch.setattr(settle, "_TILE", tile)
    settle_edges(*tiled)
    for one, other in zip(whole, tiled):
        np.testing.assert_array_equal(one, other)


def test_the_smallest_pictures_work() -> None:
    for height, width in ((1, 1), (1, 9), (7, 2)):
        way = np.zeros((height, width, 2), np.float32)
        way[:, : width // 2] = 9
        settle_edges(way, -way, np.ones((height, width), np.float32))
        assert np.isfinite(way).all()
