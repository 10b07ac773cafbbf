"""From keyframes and settings to jobs and strips, and the record of it on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tween_blender import records
from tween_blender.errors import PluginError
from tween_blender.gaps import Span, from_list, from_strips
from tween_blender.plan import Cut, Plan, Wanted, make_plan, new_drawings, parse_chart
from tweenbridge.timing import Spacing, Timing, schedule


@st.composite
def shots(draw: st.DrawFn) -> list[Span]:
    """Strips one after the other, some touching."""
    spans, at = [], draw(st.integers(-20, 20))
    for i in range(draw(st.integers(2, 6))):
        length = draw(st.integers(1, 12))
        spans.append(Span(f"s{i}", 1, at, at + length))
        at += length + draw(st.integers(0, 12))
    return spans


wanteds = st.builds(
    Wanted,
    count=st.none() | st.integers(1, 15),
    spacing=st.sampled_from([spacing.value for spacing in Spacing]),
    chart=st.just(()) | st.lists(st.floats(0.0, 1.0), min_size=1, max_size=6).map(tuple),
    hold=st.integers(1, 4),
    loop=st.booleans(),
    ripple=st.just(True),
    breakdown=st.booleans(),
)


def moved(span: Span, plan: Plan) -> tuple[int, int]:
    by = sum(cut.by for cut in plan.cuts if span.start >= cut.at)
    return span.start + by, span.end + by


@given(shots(), wanteds)
def test_every_strip_lies_between_its_keyframes(spans: list[Span], wanted: Wanted) -> None:
    found = from_strips(spans)
    try:
        plan = make_plan(found, spans, wanted)
    except PluginError as error:
        assert all(gap.length == 0 for gap in found.gaps), error
        assert wanted.count is None and not wanted.chart and not wanted.breakdown
        return
    where = {span.name: moved(span, plan) for span in spans}
    assert [strip.index for strip in plan.strips] == list(range(len(plan.strips)))
    loops = 1 if wanted.loop and not wanted.breakdown else 0
    for job in plan.jobs[: len(plan.jobs) - loops]:
        for strip, (a, b) in zip(job.strips, zip(job.keyframes, job.keyframes[1:])):
            end = where[plan.keyframes[a].strip][1]
            begin = where[plan.keyframes[b].strip][0]
            assert (strip.a, strip.b) == (end - 1, begin)
            if wanted.breakdown:
                assert len(strip.drawings) == 1
                assert abs(2 * strip.start - (strip.a + strip.b)) <= 1
            else:
                assert (strip.start, strip.start + len(strip.drawings)) == (end, begin)
    if loops:
        [strip] = plan.jobs[-1].strips
        assert strip.start == max(end for _, end in where.values())


@given(shots(), wanteds)
def test_the_drawings_are_those_that_the_server_will_make(spans: list[Span], wanted: Wanted) -> None:
    try:
        plan = make_plan(from_strips(spans), spans, wanted)
    except PluginError:
        return
    for job in plan.jobs:
        timing = Timing(**{**job.timing, "spacing": Spacing(job.timing["spacing"])})
        made = schedule(job.positions, timing)
        for strip, gap in zip(job.strips, made.gaps):
            assert list(dict.fromkeys(strip.drawings)) == list(dict.fromkeys(gap.exposures))
        assert {d for strip in job.strips for d in strip.drawings} == {drawing.index for drawing in made.drawings}


@given(shots(), wanteds)
def test_there_are_as_many_drawings_as_asked_for_and_none_is_a_keyframe(spans: list[Span], wanted: Wanted) -> None:
    try:
        plan = make_plan(from_strips(spans), spans, wanted)
    except PluginError:
        return
    for job in plan.jobs:
        timing = Timing(**{**job.timing, "spacing": Spacing(job.timing["spacing"])})
        times = {drawing.index: drawing.t for drawing in schedule(job.positions, timing).drawings}
        for strip in job.strips:
            if wanted.breakdown:
                assert new_drawings(job, strip) == 1
            elif wanted.chart:
                assert [times[d] for d in dict.fromkeys(strip.drawings)] == list(wanted.chart)
            elif wanted.count is not None:
                shown = [strip.drawings.count(d) for d in dict.fromkeys(strip.drawings)]
                assert len(shown) == new_drawings(job, strip) == wanted.count
                assert min(shown) >= wanted.hold and max(shown) - min(shown) <= 1
                assert all(0.0 < times[d] < 1.0 for d in strip.drawings)
            else:
                assert new_drawings(job, strip) == sum(times[d] > 0.0 for d in set(strip.drawings))


@given(shots(), wanteds)
def test_a_record_comes_back_from_disk_as_it_was(spans: list[Span], wanted: Wanted) -> None:
    import tempfile

    try:
        plan = make_plan(from_strips(spans), spans, wanted)
    except PluginError:
        return
    with tempfile.TemporaryDirectory() as folder:
        kept = record(plan, wanted)
        records.save(kept, Path(folder))
        assert records.load(Path(folder)) == [kept]
        records.forget(kept, Path(folder))
        assert records.load(Path(folder)) == []


def record(plan: Plan, wanted: Wanted, **changes: str) -> records.Record:
    fields = {"id": "0" * 32, "file_id": "f", "blend": "/films/a.blend", "scene": "Scene"} | changes
    return records.Record(
        **fields, shot="a-b", take=1, folder="//x", root="/films/x", created=1.0, plan=plan, wanted=wanted
    )


def two() -> Plan:
    return make_plan(from_list([1, 5], ["a", "b"]), [], Wanted())


def test_a_record_belongs_to_a_file_by_its_id_or_its_path() -> None:
    kept = record(two(), Wanted())
    assert kept.belongs_to("f", "")
    assert kept.belongs_to("", "/films/a.blend")
    assert not kept.belongs_to("g", "/films/b.blend")
    assert not record(two(), Wanted(), file_id="", blend="").belongs_to("", "")


def test_jobs_have_ids_of_their_own_that_stay() -> None:
    kept = record(two(), Wanted())
    ids = {kept.job_id(draft, number) for draft in (False, True) for number in range(3)}
    assert len(ids) == 6
    assert kept.job_id(False, 0) == record(two(), Wanted()).job_id(False, 0)


def test_a_damaged_record_is_left_out(tmp_path: Path) -> None:
    kept = record(two(), Wanted())
    records.save(kept, tmp_path)
    (tmp_path / "broken.json").write_text('{"format": 1, "plan": ')
    (tmp_path / "other.json").write_text('{"format": 99}')
    (tmp_path / "list.json").write_text("[]")
    assert records.load(tmp_path) == [kept]


def test_strips_may_only_move_when_they_are_let() -> None:
    spans = [Span("a", 1, 1, 5), Span("b", 1, 8, 12), Span("c", 2, 20, 25)]
    found = from_strips(spans[:2])
    with pytest.raises(PluginError, match="room for 3 in-betweens, not for 5"):
        make_plan(found, spans, Wanted(count=5))
    plan = make_plan(found, spans, Wanted(count=5, ripple=True))
    assert plan.cuts == (Cut(8, 2),)


def test_fewer_than_fit_are_spread_with_the_spacing() -> None:
    plan = make_plan(from_list([0, 13], ["a", "b"]), [], Wanted(count=3, spacing="ease-in"))
    [job] = plan.jobs
    chart = job.timing["chart"]
    assert len(chart) == 3
    assert chart[0] < 0.25 and chart[1] < 0.5 and chart[2] < 0.75
    shown = job.strips[0].drawings
    assert len(shown) == 12
    assert [shown.count(drawing) for drawing in range(3)] == [4, 4, 4]
    assert new_drawings(job, job.strips[0]) == 3


def test_a_gap_without_frames_is_left_out_and_said() -> None:
    spans = [Span("a", 1, 1, 5), Span("b", 1, 5, 8), Span("c", 1, 12, 15)]
    plan = make_plan(from_strips(spans), spans, Wanted())
    assert [(strip.start, len(strip.drawings)) for strip in plan.strips] == [(8, 4)]
    assert plan.notes


def test_a_loop_on_a_list_leads_back_to_the_first() -> None:
    plan = make_plan(from_list([1, 5, 9], ["a", "b", "c"]), [], Wanted(loop=True))
    last = plan.jobs[-1]
    assert [plan.keyframes[index].frame for index in last.keyframes] == [9, 1]
    assert (last.strips[0].start, last.strips[0].b, len(last.strips[0].drawings)) == (10, 1, 3)


@pytest.mark.parametrize(
    ("text", "times"), [("0.2 0.5", (0.2, 0.5)), ("10%, 50 %;90%", (0.1, 0.5, 0.9)), ("25%;0.5, 1", (0.25, 0.5, 1.0))]
)
def test_charts_are_read_as_artists_write_them(text: str, times: tuple[float, ...]) -> None:
    assert parse_chart(text) == pytest.approx(times)


@pytest.mark.parametrize("text", ["", " , ", "2", "-0.1", "nan", "half"])
def test_what_is_no_chart_is_said(text: str) -> None:
    with pytest.raises(PluginError):
        parse_chart(text)
