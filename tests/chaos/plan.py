"""Which faults happen when, and what clients ask for meanwhile: all of it from one seed. Pure.

A campaign is a row of eras. An era has a seed of its own, a data folder of its own and 40 faults in rounds of eight, so
that one that fails can be run again alone: era `n` of seed `s` is the first era of seed `s + n`. A fault that found
nobody to happen to does not count; further rounds make up for it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import count

FAULTS_PER_ERA = 40
FAULTS_PER_ROUND = 8
TIME_OUT = 17.0
"""Seconds for which a process has to stand still so that whoever waits for it gives up."""


class Kind(Enum):
    """What can go wrong."""

    KILL_SERVER = "server killed"
    KILL_WORKER = "worker killed"
    KILL_CLIENT = "clients killed"
    STOP_SERVER = "server stopped for a while"
    STOP_WORKER = "worker stopped for a while"
    STOP_CLIENT = "clients stopped for a while"
    FULL_DISK = "disk full"
    READ_ONLY = "spool read-only"
    DAMAGE_DATABASE = "page of the database damaged"
    DAMAGE_FRAME = "frame's file damaged"
    DAMAGE_KEYFRAME = "keyframe's file damaged"
    SET_CLOCK = "clock set"
    SLOW = "connection slow"
    STALL = "connection half open"
    CUT = "connection cut"


class Action(Enum):
    """What a client does with a job."""

    PLAIN = "plain"
    RELEASE = "release"
    CANCEL = "cancel"
    CANCEL_AND_AGAIN = "cancel and again"
    TWIN = "twin"
    """Two clients submit it under the same id."""
    CLASH = "clash"
    """It takes the id of another job, and has to be refused."""


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        at: seconds after the round's beginning.
        lasts: seconds until what can be undone is undone.
        choice: 0 to 1: which victim, which way.
        amount: -1 to 1: how much; of the clock, how far and where to.
    """

    kind: Kind
    at: float
    lasts: float
    choice: float
    amount: float


@dataclass(frozen=True)
class Job:
    """One job of one client; pictures follow from `seed`."""

    id: str
    seed: int
    keyframes: int
    count: int
    side: int
    seconds: float
    engine: str
    action: Action


@dataclass(frozen=True)
class ClientPlan:
    """One client and what it asks for, in turn."""

    name: str
    jobs: tuple[Job, ...]


@dataclass(frozen=True)
class Round:
    """What happens between two looks at everything. `crowds`: the clients of each process."""

    number: int
    faults: tuple[Fault, ...]
    crowds: tuple[tuple[ClientPlan, ...], ...]


def era(seed: int) -> Iterator[Round]:
    """The rounds of an era, without end."""
    chance = random.Random(seed)
    kinds = _kinds(chance)
    for number in count():
        of_round = [next(kinds) for _ in range(FAULTS_PER_ROUND)]
        crowds = load(chance, f"s{seed}r{number}", crowds=2, clients=3, jobs=4)
        yield Round(number, _faults(chance, of_round), crowds)


def _kinds(chance: random.Random) -> Iterator[Kind]:
    """Every kind once in any order, then every kind again, and so on."""
    while True:
        yield from chance.sample(list(Kind), len(Kind))


def _faults(chance: random.Random, kinds: Sequence[Kind]) -> tuple[Fault, ...]:
    """Faults that begin within some seconds of each other and overlap as it comes; one in twenty times somebody out."""
    found = []
    for kind in kinds:
        lasts = chance.uniform(0.05, 1.2)
        if kind in (Kind.STOP_SERVER, Kind.STOP_CLIENT, Kind.STALL) and chance.random() < 0.2:
            lasts = TIME_OUT
        found.append(Fault(kind, chance.uniform(0.2, 4.0), lasts, chance.random(), chance.uniform(-1, 1)))
    return tuple(sorted(found, key=lambda fault: fault.at))


def load(
    chance: random.Random, name: str, crowds: int, clients: int, jobs: int, small: bool = False
) -> tuple[tuple[ClientPlan, ...], ...]:
    """So many processes of so many clients with so many jobs each, cancels and the like among them.

    Args:
        small: jobs that cost next to nothing.
    """
    made: list[list[ClientPlan]] = []
    earlier: list[Job] = []
    for crowd in range(crowds):
        made.append([])
        for client in range(clients):
            mine: list[Job] = []
            for number in range(jobs):
                others = [job for job in earlier if job.id not in {job.id for job in mine}]
                mine.append(_job(chance, f"{name}-{crowd}.{client}.{number}", others, small))
            earlier += mine
            made[-1].append(ClientPlan(f"{name}-{crowd}.{client}", tuple(mine)))
    return tuple(tuple(plans) for plans in made)


_ACTIONS = (
    *(Action.PLAIN,) * 6, Action.RELEASE, Action.CANCEL, Action.CANCEL_AND_AGAIN, Action.TWIN, Action.CLASH,
)  # fmt: skip


def _job(chance: random.Random, id: str, earlier: Sequence[Job], small: bool) -> Job:
    action = chance.choice(_ACTIONS)
    flow = chance.random() < 0.08
    job = Job(
        id=id,
        seed=chance.randrange(1 << 30),
        keyframes=chance.choice((2, 2, 3)),
        count=chance.randint(1, 6),
        side=chance.choice((16, 16, 24, 120)),
        seconds=round(chance.uniform(0.0, 0.08), 3),
        engine="flow" if flow else "blend",
        action=action,
    )
    if small:
        job = _with(job, keyframes=2, count=min(job.count, 2), side=16, seconds=0.0, engine="blend")
    plain = [other for other in earlier if other.action is Action.PLAIN]
    if action in (Action.TWIN, Action.CLASH):
        if not plain:
            return _with(job, action=Action.PLAIN)
        other = chance.choice(plain)
        if action is Action.TWIN:
            return _with(other, action=Action.TWIN)
        return _with(job, id=other.id, count=other.count + 1)
    return job


def _with(job: Job, **changes: object) -> Job:
    return Job(**{**job.__dict__, **changes})


def described(rounds: Sequence[Round]) -> str:
    """The plan as a list that somebody can read."""
    lines = []
    for each in rounds:
        jobs = sum(len(client.jobs) for crowd in each.crowds for client in crowd)
        lines.append(f"round {each.number}: {jobs} jobs")
        for fault in each.faults:
            lines.append(
                f"  {fault.at:5.2f} s  {fault.kind.value}, for {fault.lasts:.2f} s"
                f" (choice {fault.choice:.3f}, amount {fault.amount:+.3f})"
            )
    return "\n".join(lines)
