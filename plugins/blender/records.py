# SPDX-License-Identifier: GPL-3.0-or-later
"""What is remembered on disk of a shot until its strips are inserted, so that nothing is lost with the Blender window.

One JSON file per shot in the user's folder. A record names the .blend file, the scene, and everything needed to go on:
jobs go on at the server meanwhile, and submitting one again under its id only fetches what is missing.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .gaps import KeyframeAt, Source
from .plan import Cut, JobPlan, Plan, StripPlan, Wanted

_FORMAT = 1


@dataclass(frozen=True)
class Record:
    """One shot that was asked for.

    Attributes:
        id: 32 hexadecimal digits; the jobs' ids are made from it.
        file_id, blend, scene: the file by the id that its scenes carry and by its path ("" unsaved), and the scene.
        shot, take, folder: what it is called, and the take's folder as Blender writes it (`//…` or absolute).
        root: the same folder as an absolute path.
        created: seconds since 1970.
        plan, wanted: what is done.
        drafted: names of the strips inserted as a draft, by the number of the strip; () before.
        replaces: the strip that this is a new take of, or "".
    """

    id: str
    file_id: str
    blend: str
    scene: str
    shot: str
    take: int
    folder: str
    root: str
    created: float
    plan: Plan
    wanted: Wanted
    drafted: tuple[str, ...] = ()
    replaces: str = ""

    @property
    def frames(self) -> int:
        """Timeline frames that its strips cover."""
        return sum(len(strip.drawings) for strip in self.plan.strips)

    def job_id(self, draft: bool, number: int) -> str:
        """The id of job `number` of the plan."""
        text = f"{self.id} {'draft' if draft else 'final'} {number}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def belongs_to(self, file_id: str, blend: str) -> bool:
        """It was asked for in the file that has this id, or lies at this path."""
        return bool(file_id and file_id == self.file_id) or bool(blend and blend == self.blend)


def save(record: Record, folder: Path) -> None:
    """Write or replace a record, so that nobody ever reads half of it."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"format": _FORMAT, **_plain(record)}, ensure_ascii=False)
    part = folder / f"{record.id}.part"
    part.write_text(text, encoding="utf-8")
    os.replace(part, folder / f"{record.id}.json")


def forget(record: Record, folder: Path) -> None:
    """Remove a record, if it is there."""
    (folder / f"{record.id}.json").unlink(missing_ok=True)


def load(folder: Path) -> list[Record]:
    """All records that can be read, oldest first."""
    found = []
    for path in folder.glob("*.json"):
        try:
            found.append(_record(json.loads(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            # A record of another version, or a damaged one: its strips can be generated again.
            continue
    return sorted(found, key=lambda record: record.created)


def _plain(record: Record) -> dict[str, Any]:
    plain = dataclasses.asdict(record)
    plain["plan"]["source"] = record.plan.source.value
    return plain


def _record(plain: dict[str, Any]) -> Record:
    if plain.pop("format") != _FORMAT:
        raise ValueError("written by another version")
    wanted = plain.pop("wanted")
    return Record(
        plan=_plan(plain.pop("plan")),
        wanted=Wanted(**{**wanted, "chart": tuple(wanted["chart"])}),
        drafted=tuple(plain.pop("drafted")),
        **plain,
    )


def _plan(plain: dict[str, Any]) -> Plan:
    return Plan(
        source=Source(plain["source"]),
        keyframes=tuple(KeyframeAt(**{**each, "hide": tuple(each["hide"])}) for each in plain["keyframes"]),
        jobs=tuple(_job(each) for each in plain["jobs"]),
        cuts=tuple(Cut(**{**each, "channels": tuple(each["channels"])}) for each in plain["cuts"]),
        notes=tuple(plain["notes"]),
    )


def _job(plain: dict[str, Any]) -> JobPlan:
    return JobPlan(
        keyframes=tuple(plain["keyframes"]),
        positions=tuple(plain["positions"]),
        timing={**plain["timing"], "chart": tuple(plain["timing"]["chart"])},
        strips=tuple(StripPlan(**{**each, "drawings": tuple(each["drawings"])}) for each in plain["strips"]),
    )


def without_draft(record: Record) -> Record:
    """The same shot, to be inserted as new strips."""
    return dataclasses.replace(record, drafted=())
