"""Gaps on two nodes of a real Ray cluster."""

from __future__ import annotations

from bench import flat, request
from ray_studio import Studio
from tweenbridge.protocol.messages import JobState

PICTURES = [flat(10), flat(60), flat(110)]


def test_both_nodes_work_and_every_frame_is_made_once(studio: Studio) -> None:
    bench = studio.server("one")
    bench.send("j", PICTURES, request(PICTURES, settings={"seconds": 0.5}))
    done = bench.wait("j", seconds=60)
    assert done.state is JobState.DONE, done
    assert set(studio.computed().values()) == {1} and len(studio.computed()) == 6
    assert len(studio.makers()) == 2
    for index in range(6):
        bench.bytes_of("j", index)
