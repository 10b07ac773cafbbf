"""What goes first."""

from __future__ import annotations

from collections import Counter

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


def test_clients_take_turns_and_a_newcomer_waits_for_nobody() -> None:
    queue = GapQueue()
    for gap in range(1000):
        queue.push(QueuedGap(Priority.NORMAL, 1, gap, "long", "anna"))
    queue.push(QueuedGap(Priority.NORMAL, 2, 0, "b", "bert"))
    queue.push(QueuedGap(Priority.NORMAL, 3, 0, "c", "cleo"))
    queue.push(QueuedGap(Priority.NORMAL, 4, 0, "b2", "bert"))
    queue.push(QueuedGap(Priority.BACKGROUND, 0, 0, "later", "dora"))

    def next_job() -> str:
        gap = queue.pop()
        queue.served(gap.owner)
        return gap.job

    assert [next_job() for _ in range(6)] == ["long", "b", "c", "long", "b2", "long"]
    queue.push(QueuedGap(Priority.NORMAL, 9, 0, "new", "emil"))
    assert next_job() == "new"


def test_one_gap_at_a_time_does_not_get_ahead_of_others() -> None:
    """Who has nothing waiting keeps its place in the turn: submitting anew each time is no way around it."""
    queue = GapQueue()
    for gap in range(10):
        queue.push(QueuedGap(Priority.NORMAL, 1, gap, "anna", "anna"))
    made = []
    for order in range(10):
        queue.push(QueuedGap(Priority.NORMAL, 2 + order, 0, "bert", "bert"))
        for _ in range(1 + order % 2):
            gap = queue.pop()
            queue.served(gap.owner)
            made.append(gap.job)
    assert abs(made.count("anna") - made.count("bert")) <= 1


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 30)), min_size=1, max_size=40))
def test_no_client_gets_two_turns_while_another_waits_for_its_first(waiting: list[tuple[str, int]]) -> None:
    queue = GapQueue()
    for number, (owner, order) in enumerate(waiting):
        queue.push(QueuedGap(Priority.NORMAL, order, number, f"{owner}{order}", owner))
    left = Counter(owner for owner, _ in waiting)
    turns: Counter[str] = Counter()
    while queue:
        owner = queue.pop().owner
        queue.served(owner)
        turns[owner] += 1
        left[owner] -= 1
        assert all(turns[owner] <= turns[other] + 1 for other in left if left[other])
    assert turns == Counter(owner for owner, _ in waiting)
