"""Whole runs with the real server: every frame of the timeline shows what it should, and nothing else has changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from fakes.resolve import make_resolve
from shots import drawn, layout, mark, read, shown, succeed
from tweenbridge import Client


def test_in_betweens_fill_the_gap_exactly(client: Client, films: Path) -> None:
    resolve = make_resolve()
    mark(resolve, 4, 12)
    made = succeed(resolve, client, films)
    assert layout(resolve) == {"Video 1": [(0, 40)], "In-betweens": [(5, 7)]}
    files = sorted(made.result.folder.glob("*.tif"))
    assert len(files) == 7
    for frame in range(40):
        if 5 <= frame < 12:
            assert (shown(resolve, frame) == read(files[frame - 5])).all()
        else:
            assert (shown(resolve, frame) == drawn(frame)).all()
    # The square moves steadily, so an in-between is close to the frame that was there.
    middle = np.abs(shown(resolve, 8).astype(int) - drawn(8).astype(int))
    assert np.median(middle) < 1500
    assert np.abs(drawn(4).astype(int) - drawn(8).astype(int)).mean() > 2 * middle.mean()
