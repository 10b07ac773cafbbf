"""Several real clients in one process, to be killed and run again: `python crowd_program.py PLAN`.

PLAN is a file that `write_plan` made. A client submits its jobs two at a time, takes their frames, and does what a
person would do where a job fails for a reason that passes: it asks again. Whatever it sees it notes in its journal,
from which it goes on when it is run again.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent), str(HERE.parents[1] / "shared")]

from tweenbridge import (  # noqa: E402
    Client,
    Disconnected,
    ErrorCode,
    Event,
    FrameArrived,
    JobEnded,
    JobHandle,
    JobState,
)
from tweenbridge.job import Step  # noqa: E402
from tweenbridge.protocol.messages import Release  # noqa: E402

from tests.chaos.journal import Entry, Journal, Saw, entries  # noqa: E402 - the path is set above
from tests.chaos.pictures import keyframes  # noqa: E402
from tests.chaos.plan import Action, ClientPlan, Job  # noqa: E402

AT_A_TIME = 2
AGAIN_AFTER = 0.3
"""Seconds that somebody thinks before asking again."""
MOST_ATTEMPTS = 60


def write_plan(path: Path, home: Path, journal: Path, clients: Iterable[ClientPlan]) -> None:
    """Write down what a crowd is to do."""
    plans = [
        {"name": client.name, "jobs": [{**job.__dict__, "action": job.action.value} for job in client.jobs]}
        for client in clients
    ]
    path.write_text(json.dumps({"home": str(home), "journal": str(journal), "clients": plans}))


class Wish:
    """One job that a client wants, through all attempts."""

    def __init__(self, job: Job, had: set[int]) -> None:
        self.job = job
        self.had = had
        self.handle: JobHandle | None = None
        self.accepted = False
        self.attempts = 0
        self.cancels = 1 if job.action in (Action.CANCEL, Action.CANCEL_AND_AGAIN) else 0
        self.not_before = 0.0


class Person:
    """One client at work."""

    def __init__(self, home: Path, plan: ClientPlan, journal: Journal, past: list[Entry]) -> None:
        self._journal = journal
        self._name = plan.name
        self._client = Client(home, name=plan.name, start_server=False)
        mine = [entry for entry in past if entry.client == plan.name]
        over = {entry.job for entry in mine if entry.saw is Saw.FINISHED}
        cancelled = {entry.job for entry in mine if entry.saw is Saw.CANCELLING}
        self._waiting: deque[Wish] = deque()
        for job in plan.jobs:
            if job.id not in over:
                frames = {entry.value[0] for entry in mine if entry.saw is Saw.FRAME and entry.job == job.id}
                wish = Wish(job, frames)
                if job.id in cancelled and job.action is Action.CANCEL_AND_AGAIN:
                    wish.cancels = 0
                self._waiting.append(wish)
        self._active: list[Wish] = []

    @property
    def is_busy(self) -> bool:
        """Whether anything is left to do."""
        return bool(self._waiting or self._active)

    def step(self) -> bool:
        """Do what can be done now; whether anything happened."""
        while self._waiting and len(self._active) < AT_A_TIME:
            self._active.append(self._waiting.popleft())
        now = time.monotonic()
        for wish in self._active:
            if wish.handle is None and now >= wish.not_before:
                self._submit(wish)
        events = self._client.poll()
        # Before the events: a job is acknowledged before it ends.
        for wish in self._active:
            self._look_at(wish)
        for event in events:
            self._take(event)
        return bool(events)

    def close(self) -> None:
        """Let go of the session."""
        self._client.close()

    def _note(self, saw: Saw, job: str = "", *value: object) -> None:
        self._journal.note(Entry(saw, self._name, job, value))

    def _submit(self, wish: Wish) -> None:
        job = wish.job
        pictures = keyframes(job.seed, job.keyframes, job.side, job.engine)
        settings = {"seconds": job.seconds} if job.engine == "blend" else {}
        total = (job.keyframes - 1) * job.count
        have = wish.had if len(wish.had) < total else set(list(wish.had)[:-1])
        wish.handle = self._client.submit(
            pictures, count=job.count, engine=job.engine, profile="" if settings else "draft", settings=settings,
            job=job.id, have=have,
        )  # fmt: skip
        wish.attempts += 1
        wish.accepted = False

    def _look_at(self, wish: Wish) -> None:
        if wish.handle is None or wish.handle.step is not Step.FOLLOW or wish.accepted:
            return
        wish.accepted = True
        self._note(Saw.ACCEPTED, wish.job.id)
        if wish.cancels and not wish.job.seed % 2:
            self._cancel(wish)

    def _cancel(self, wish: Wish) -> None:
        assert wish.handle is not None
        wish.cancels -= 1
        self._note(Saw.CANCELLING, wish.job.id)
        wish.handle.cancel()

    def _take(self, event: Event) -> None:
        if isinstance(event, Disconnected):
            self._note(Saw.LOST, "", event.error.code.value, event.error.message)
        elif isinstance(event, (FrameArrived, JobEnded)):
            wish = next((wish for wish in self._active if wish.job.id == event.job), None)
            if wish is None:
                return
            if isinstance(event, FrameArrived):
                frame = event.frame
                self._note(Saw.FRAME, event.job, frame.index, frame.sha256, hashlib.sha256(frame.data).hexdigest())
                wish.had.add(frame.index)
                if wish.cancels and wish.handle is not None and not wish.handle.ended:
                    self._cancel(wish)
            else:
                self._ended(wish, event)

    def _ended(self, wish: Wish, event: JobEnded) -> None:
        if not wish.accepted and event.state is JobState.DONE:
            wish.accepted = True
            self._note(Saw.ACCEPTED, wish.job.id)
        error = event.error
        code, sentence = (error.code.value, error.message) if error else ("", "")
        self._note(Saw.ENDED, event.job, event.state.value, code, sentence)
        wish.handle = None
        refused = error is not None and error.code is ErrorCode.CONFLICT
        given_up = event.state is JobState.CANCELLED and wish.job.action is Action.CANCEL
        if event.state is JobState.DONE or refused or given_up or wish.attempts >= MOST_ATTEMPTS:
            self._active.remove(wish)
            if wish.job.action is Action.RELEASE and event.state is JobState.DONE:
                self._note(Saw.RELEASING, wish.job.id)
                self._client.ask(Release(wish.job.id))
            self._note(Saw.FINISHED, wish.job.id)
        else:
            wish.not_before = time.monotonic() + AGAIN_AFTER


def main() -> None:
    plan = json.loads(Path(sys.argv[1]).read_text())
    path = Path(plan["journal"])
    past = list(entries([path]))
    journal = Journal(path)
    journal.note(Entry(Saw.BEGAN, ""))
    people = []
    for client in plan["clients"]:
        jobs = tuple(Job(**{**job, "action": Action(job["action"])}) for job in client["jobs"])
        people.append(Person(Path(plan["home"]), ClientPlan(client["name"], jobs), journal, past))
    while any(person.is_busy for person in people):
        # Each of them, and not just until one had something to do.
        if not sum(person.step() for person in people):
            time.sleep(0.01)
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        for person in people:
            person.step()
        time.sleep(0.01)
    for person in people:
        person.close()


if __name__ == "__main__":
    main()
