"""What goes first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tweenbridge.protocol.messages import Priority
from tweenbridge_server.jobs.queue import GapQueue, QueuedGap

gaps = st.builds(QueuedGap, st.sampled_from(Priority), st.integers(1, 9), st.integers(0, 9), st.text(max_size=3))


@given(st.lists(gaps))
def test_by_priority_then_order_of_submission_then_place(waiting: list[QueuedGap]) -> None:
    queue = GapQueue()
    for gap in waiting:
        queue.push(gap)
    out = [queue.pop() for _ in range(len(queue))]
    assert [(g.priority, g.order, g.gap) for g in out] == sorted((g.priority, g.order, g.gap) for g in waiting)


def test_an_interactive_job_overtakes_at_the_next_gap() -> None:
    queue = GapQueue()
    for gap in range(3):
        queue.push(QueuedGap(Priority.NORMAL, 1, gap, "long"))
    assert queue.pop().gap == 0
    queue.push(QueuedGap(Priority.INTERACTIVE, 2, 0, "now"))
    assert [queue.pop().job for _ in range(3)] == ["now", "long", "long"]
