"""From finished frames to clips on the timeline: looked at again first, imported, placed, looked at once more."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

from tweenbridge.version import __version__

from . import media, survey, timeline
from .capture import changed_since
from .choice import Choice
from .clips import tracks_of
from .errors import PluginError, Trouble
from .host import Host
from .placement import Keyframe, Plan, choose_track, is_ours, move_plan
from .placing import Placer
from .recipe import KeptKeyframe, Recipe
from .survey import Change, Survey


@dataclass(frozen=True)
class Order:
    """What is to be placed.

    Attributes:
        folder: the sequence's files, and the keyframes' pictures in `keyframes`.
        pattern: the files' names, with a place for the number.
        bin: the media pool's bin that it goes into.
        job: the server's id of the job.
        only: clips whose tracks alone give the keyframes' pictures; () for what the viewer shows.
    """

    plan: Plan
    choice: Choice
    folder: Path
    pattern: str
    bin: str
    job: str
    only: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Placed:
    """What lies on the timeline now."""

    track: int
    name: str
    take: int
    notes: Tuple[str, ...]


def look_again(host: Host, order: Order, before: Survey) -> Change:
    """Whether the timeline still is as it was when the keyframes were taken, their pictures included.

    Call it inside `Host.view_kept`. The playhead visits the keyframes.
    """
    change = survey.compare(host, before)
    if change.sentence:
        return change
    keyframes = survey.follow(host, order.plan.keyframes, change.shift)
    kept = [order.folder / "keyframes" / f"keyframe_{i:03}.tif" for i in range(1, len(keyframes) + 1)]
    try:
        changed = changed_since(host, keyframes, kept, order.folder / "keyframes-again", order.only)
    except PluginError as error:
        return Change(change.shift, f"The keyframes could not be checked again: {error}")
    if not changed:
        return change
    listed = " and ".join(keyframes[i].label for i in changed[:2])
    return Change(change.shift, f"The picture at {listed} was changed while the in-betweens were made.")


def insert(host: Host, order: Order, placer: Placer, shift: int) -> Placed:
    """Import the sequence and place it, `shift` frames later than planned. Call it inside `Host.view_kept`.

    Raises:
        PluginError: IMPORT or PLACEMENT; it says how the timeline is.
    """
    plan = move_plan(order.plan, survey.follow(host, order.plan.keyframes, shift))
    count = plan.frames
    if count == 1:
        # A single file would come in as a still of any length; its double is never shown.
        shutil.copyfile(order.folder / (order.pattern % 1), order.folder / (order.pattern % 2))
        count = 2
    item = media.import_sequence(host, order.folder, order.pattern, count, order.bin)
    notes = [note for note in [media.match_colours(host, item)] if note]
    if len(media.bins(host, order.bin)) > 1:
        notes.append(f"There are several bins called “{order.bin}”; the clip is in the one nearest to the Master bin.")
    try:
        target = choose_track(timeline.tracks(host), plan.clips, max(tracks_of(host, order.only), default=None))
        track = placer.place(item, plan.clips, target)
    except BaseException:
        # A clip that lies on the timeline cannot go without a question to the user.
        if host.is_alive() and not placer.left_behind:
            media.discard(host, item)
        raise
    notes += _hidden(host, order, plan, track)
    if not media.keep_recipe(item, _recipe(order, plan.keyframes, target.take)):
        notes.append("The clip did not store its settings, so they cannot be brought back later.")
    for clip in plan.clips:
        placer.find(item, clip, track)
    return Placed(track, _shown_name(host, track) or target.name, target.take, tuple(notes))


def _hidden(host: Host, order: Order, plan: Plan, track: int) -> List[str]:
    """What lay above the clips and now lies below the in-betweens: older versions add tracks on top only."""
    below = max(tracks_of(host, order.only), default=track)
    return [
        f"“{each.name}” on V{each.index} lies below the in-betweens now: move its track above V{track}."
        for each in timeline.tracks(host)
        if below < each.index < track and not is_ours(each.name) and not each.is_free(plan.clips)
    ]


def _shown_name(host: Host, track: int) -> Optional[str]:
    return next((each.name for each in timeline.tracks(host) if each.index == track), None)


def _recipe(order: Order, keyframes: Sequence[Keyframe], take: int) -> Recipe:
    kept = tuple(KeptKeyframe(int(keyframe.frame), keyframe.label) for keyframe in keyframes)
    return Recipe(order.choice, kept, take, order.job, __version__)


def moved_note(shift: int) -> str:
    """What is said where the in-betweens followed an edit."""
    frames = "1 frame" if abs(shift) == 1 else f"{abs(shift)} frames"
    return f"Your clips moved by {frames} meanwhile; the in-betweens moved with them."


def unplaceable(change: Change) -> PluginError:
    """The error for a change after which placing makes no sense."""
    return PluginError(Trouble.PLACEMENT, change.sentence, "Generate the in-betweens again.")
