"""Room on the disk: of all, and of one client."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench import Bench, flat, request
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.limits import Limits

PICTURES = [flat(10), flat(60), flat(110)]


def test_a_full_spool_is_busy_until_results_may_go(tmp_path: Path) -> None:
    room = 3 * len(PICTURES[0])
    with Bench(tmp_path / "home", Limits(spool_bytes=room)) as bench:
        bench.send("j", PICTURES[:2], request(PICTURES[:2], count=9, settings={"seconds": 0.1}))
        bench.wait_for(lambda: bench.service.info("j").done >= 1)
        with pytest.raises(TweenbridgeError) as refused:
            bench.submit("k", request([PICTURES[2], flat(200)]))
        assert refused.value.code is ErrorCode.BUSY
        bench.service.cancel("j")
        assert bench.submit("k", request([PICTURES[2], flat(200)])).need == (0, 1)


def test_one_client_s_unfinished_jobs_hold_no_more_than_its_share(tmp_path: Path) -> None:
    keyframe = len(PICTURES[0])
    with Bench(tmp_path / "home", Limits(client_bytes=5 * keyframe)) as bench:
        bench.send("j", PICTURES[:2], request(PICTURES[:2], count=9, settings={"seconds": 0.1}))
        bench.submit("k", request([PICTURES[1], flat(200)]))
        bench.wait_for(lambda: bench.service.info("j").done >= 3)
        more = request([flat(201), flat(202)])
        with pytest.raises(TweenbridgeError) as refused:
            bench.submit("l", more)
        assert refused.value.code is ErrorCode.BUSY and refused.value.info.retry_after
        assert "your unfinished ones" in str(refused.value)
        # The same again counts once, somebody else has a share of their own, and what is over holds nothing.
        bench.submit("k", request([PICTURES[1], flat(200)]))
        bench.submit("m", more, owner="somebody else")
        bench.service.cancel("j")
        bench.submit("l", more)
        with pytest.raises(TweenbridgeError) as refused:
            bench.submit("n", request([flat(level) for level in range(100, 106)]))
        assert refused.value.code is ErrorCode.TOO_LARGE
