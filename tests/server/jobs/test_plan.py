"""Plans and content addresses."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from bench import flat, request
from hypothesis import given
from hypothesis import strategies as st
from tweenbridge.pixels import Colour, Encoding, PixelFormat, SampleType
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import JobRequest
from tweenbridge.timing import Timing
from tweenbridge_server.jobs.plan import (
    Making,
    Relation,
    Source,
    canonical,
    check_size,
    make_plan,
    note,
    params_hash,
    source,
)

PICTURES = [flat(10), flat(60), flat(110), flat(160)]
SETTINGS: dict[str, Any] = {"seconds": 0.0, "mischief": "none"}


def keys(
    wanted: JobRequest,
    version: str = "1",
    profile: str = "plain",
    identity: str = "",
    whole_shot: bool = False,
    **settings: Any,
) -> list[str]:
    return list(make_plan(wanted, Making(version, profile, {**SETTINGS, **settings}, identity, whole_shot)).keys)


def test_every_drawing_has_its_own_address_and_the_same_one_each_time() -> None:
    first = keys(request(PICTURES))
    assert len(set(first)) == 9
    assert first == keys(request(PICTURES))


def test_whatever_decides_a_frame_changes_its_address() -> None:
    base = request(PICTURES[:2])
    first = set(keys(base))
    others = [
        keys(base, version="2"),
        keys(base, profile="other"),
        keys(base, identity="another model"),
        keys(base, whole_shot=True),
        keys(base, seconds=1.0),
        keys(dataclasses.replace(base, engine="flow")),
        keys(dataclasses.replace(base, output=PixelFormat(Encoding.EXR))),
        keys(request([PICTURES[1], PICTURES[0]])),
        keys(request([PICTURES[0], PICTURES[2]])),
        keys(dataclasses.replace(base, timing=Timing(chart=(0.1, 0.9), count=2))),
    ]
    for other in others:
        assert not first & set(other)


def test_what_does_not_decide_a_frame_does_not_change_its_address() -> None:
    base = request(PICTURES[:2])
    moved = tuple(dataclasses.replace(k, position=k.position + 7, name="elsewhere") for k in base.keyframes)
    assert keys(dataclasses.replace(base, keyframes=moved)) == keys(base)


def test_a_changed_keyframe_changes_only_its_two_gaps() -> None:
    before, after = keys(request(PICTURES)), keys(request([PICTURES[0], flat(61), *PICTURES[2:]]))
    assert [a == b for a, b in zip(before, after)] == [False] * 6 + [True] * 3


def test_an_engine_that_looks_at_the_whole_shot_makes_other_frames_for_every_changed_keyframe() -> None:
    before = keys(request(PICTURES), whole_shot=True)
    assert before == keys(request(PICTURES), whole_shot=True)
    for changed in range(len(PICTURES)):
        pictures = [flat(61) if index == changed else picture for index, picture in enumerate(PICTURES)]
        assert not set(before) & set(keys(request(pictures), whole_shot=True))
    assert not set(before) & set(keys(request(PICTURES[::-1]), whole_shot=True))
    declared = request(PICTURES)
    last = dataclasses.replace(declared.keyframes[-1], format=PixelFormat(Encoding.PNG, colour=Colour.SCENE_LINEAR))
    declared = dataclasses.replace(declared, keyframes=(*declared.keyframes[:-1], last))
    assert not set(before) & set(keys(declared, whole_shot=True))


@given(st.dictionaries(st.text(max_size=8), st.one_of(st.booleans(), st.integers(-9, 9), st.text(max_size=4))))
def test_the_order_of_settings_does_not_matter(settings: dict[str, Any]) -> None:
    turned = dict(reversed(list(settings.items())))
    assert canonical(settings) == canonical(turned)
    one, other = (request(PICTURES[:2], settings=order) for order in (settings, turned))
    assert params_hash(one) == params_hash(other)


@given(st.floats(0, 1), st.sampled_from(Relation))
def test_the_source_of_a_drawing(t: float, relation: Relation) -> None:
    kind = source(relation, t)
    if t in (0.0, 1.0):
        assert kind is (Source.A if t == 0.0 else Source.B)
    elif relation is Relation.CUT:
        assert kind is (Source.A if t < 0.5 else Source.B)
    else:
        assert kind is (Source.A if relation is Relation.IDENTICAL else Source.ENGINE)


def test_notes_name_the_keyframes_and_say_what_to_do() -> None:
    wanted = request(PICTURES)
    gap = make_plan(wanted, Making("1", "plain", SETTINGS)).gaps[1]
    cut = note(Relation.CUT, gap, wanted.keyframes)
    assert cut is not None
    assert (cut.code, cut.gap) == ("cut", 1)
    assert "2 (k100.png) and 3 (k200.png)" in cut.message
    identical = note(Relation.IDENTICAL, gap, wanted.keyframes)
    assert identical is not None
    assert identical.code == "identical"
    assert note(Relation.MOTION, gap, wanted.keyframes) is None


@pytest.mark.parametrize(
    "timing",
    [Timing(count=10**12), Timing(chart=(0.5,), count=10**15), Timing(loop=True, count=10**9), Timing(hold=24)],
)
def test_an_absurd_schedule_is_refused_before_it_is_laid_out(timing: Timing) -> None:
    wanted = request(PICTURES[:2], timing=timing)
    far = dataclasses.replace(wanted.keyframes[1], position=10**15)
    with pytest.raises(TweenbridgeError) as refused:
        check_size(dataclasses.replace(wanted, keyframes=(wanted.keyframes[0], far)), 10_000)
    assert refused.value.code is ErrorCode.TOO_LARGE


def test_raw_keyframes_of_another_form_are_other_keyframes() -> None:
    def raw(width: int) -> JobRequest:
        wanted = request(PICTURES[:2])
        form = PixelFormat(Encoding.RAW, width=width, height=12 // width, channels=3, dtype=SampleType.UINT8)
        return dataclasses.replace(
            wanted, keyframes=tuple(dataclasses.replace(k, format=form) for k in wanted.keyframes)
        )

    assert not set(keys(raw(3))) & set(keys(raw(4)))
