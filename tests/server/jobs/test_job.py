"""The state machine, as ARCHITECTURE's "Job states" says."""

from __future__ import annotations

import pytest
from bench import flat, request
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tweenbridge.protocol.messages import JobState
from tweenbridge_server.jobs.job import Event, IllegalTransition, JobRecord, next_state
from tweenbridge_server.jobs.plan import Making

S, E = JobState, Event


def record() -> JobRecord:
    return JobRecord("j", "me", "p", request([flat(1), flat(2)]), Making("1", "plain", {}), total=3, created=5.0)


def test_a_job_goes_from_receiving_to_done() -> None:
    state = S.RECEIVING
    for event in (E.KEYFRAMES_COMPLETE, E.STARTED, E.FINISHED):
        state = next_state(state, event)
    assert state is S.DONE


@pytest.mark.parametrize("state", [S.RECEIVING, S.QUEUED, S.RUNNING])
def test_an_unfinished_job_can_fail_and_be_cancelled(state: JobState) -> None:
    assert next_state(state, E.FAILED) is S.FAILED
    assert next_state(state, E.CANCELLED) is S.CANCELLED


@pytest.mark.parametrize("state", [S.DONE, S.FAILED, S.CANCELLED])
def test_a_final_state_is_left_only_by_submitting_again(state: JobState) -> None:
    leaving = [event for event in Event if _allowed(state, event)]
    assert leaving == [E.SUBMITTED_AGAIN]


def _allowed(state: JobState, event: Event) -> bool:
    try:
        next_state(state, event)
    except IllegalTransition:
        return False
    return True


def test_a_record_keeps_when_things_happened() -> None:
    done = record().after(E.KEYFRAMES_COMPLETE, E.STARTED, now=7.0).after(E.FINISHED, now=9.0, done=3)
    assert (done.created, done.started, done.finished, done.done) == (5.0, 7.0, 9.0, 3)
    assert done.to_info().fraction == 1.0


def test_submitting_again_forgets_the_failure() -> None:
    died = record().after(E.KEYFRAMES_COMPLETE, E.STARTED, E.WORKER_DIED, E.CANCELLED, now=7.0)
    again = died.after(E.SUBMITTED_AGAIN, now=9.0)
    assert (died.deaths, again.deaths, again.finished, again.error) == (1, 0, None, None)


class AnyLife(RuleBasedStateMachine):
    """Whatever happens in whatever order, the record stays consistent."""

    @initialize()
    def submit(self) -> None:
        self.record = record()
        self.now = 10.0

    @rule(event=st.sampled_from(Event))
    def happens(self, event: Event) -> None:
        self.now += 1.0
        before = self.record
        if _allowed(before.state, event):
            self.record = before.after(event, now=self.now)
        else:
            with pytest.raises(IllegalTransition):
                before.after(event, now=self.now)

    @invariant()
    def consistent(self) -> None:
        job = self.record
        assert (job.finished is not None) == job.state.is_final
        assert job.state is not S.RUNNING or job.started is not None
        assert job.state is not S.DONE or job.started is not None
        assert job.state is not S.RECEIVING or job.deaths == 0


TestAnyLife = AnyLife.TestCase
