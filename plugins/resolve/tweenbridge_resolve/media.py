"""Importing the in-betweens: into a bin of their own, at the timeline's rate, with the recipe that made them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, List, Optional, Tuple

from . import timecode
from .api import has, told
from .errors import PluginError, Trouble
from .host import Host
from .placement import Keyframe
from .recipe import Lies, Recipe, from_text, keyframes_now, to_text
from .timecode import Rate
from .timeline import frame_count, item_at, items, span, tracks

if TYPE_CHECKING:
    from .api import Folder, MediaPoolItem, TimelineItem

BIN = "Tweenbridge"
PATTERN = "inbetween_%04d.tif"
_KEY = "tweenbridge"
_MARKER_NAME = "Tweenbridge"


def bin_folder(host: Host, name: str = BIN) -> Folder:
    """The first bin of this name, wherever the user has moved it; made in the media pool's root where there is none.

    Raises:
        PluginError: IMPORT, Resolve makes none.
    """
    found = bins(host, name)
    if found:
        return found[0]
    root = told(host.pool.GetRootFolder)
    for _ in range(2):
        made = None if root is None else host.pool.AddSubFolder(root, name)
        if made:
            return made
        found = bins(host, name)
        if found:
            return found[0]
    raise PluginError(
        Trouble.IMPORT,
        f"DaVinci Resolve did not make the bin “{name}” in the Media Pool.",
        "Close open dialogs in DaVinci Resolve, then try again.",
    )


def bins(host: Host, name: str = BIN) -> List[Folder]:
    """All bins of this name, those nearest to the root first."""
    found: List[Folder] = []
    root = told(host.pool.GetRootFolder)
    level = [] if root is None else [root]
    while level:
        level = [inner for folder in level for inner in told(folder.GetSubFolderList) or [] if inner is not None]
        found += [folder for folder in level if told(folder.GetName) == name]
    return found


def import_sequence(host: Host, folder: Path, pattern: str, count: int, bin_name: str = BIN) -> MediaPoolItem:
    """Import the files that a pattern names, numbered from 1, as one clip at the timeline's rate.

    Args:
        folder: a folder that nothing was imported from before: of a known path Resolve shows what it kept.
        count: files, two or more; a single one would be a still, which has no length.

    Raises:
        PluginError: IMPORT. Nothing is left in the media pool.
    """
    place = bin_folder(host, bin_name)
    for _ in range(2):
        host.pool.SetCurrentFolder(place)
    wanted = {"FilePath": str(folder / pattern), "StartIndex": 1, "EndIndex": count}
    known = {told(clip.GetUniqueId) for clip in clips_of(host)}
    made = [item for item in host.pool.ImportMedia([wanted]) or [] if item is not None]
    # It may have been imported without being told; only where it was not, once more.
    made = made or [clip for clip in clips_of(host) if told(clip.GetUniqueId) not in known]
    made = made or [item for item in host.pool.ImportMedia([wanted]) or [] if item is not None]
    remedy = f"The frames are in {folder}; they can be dragged into the Media Pool by hand."
    if not made:
        raise PluginError(Trouble.IMPORT, "DaVinci Resolve did not import the in-betweens.", remedy)
    try:
        _check_bin(host, made[0], place)
        frames = frame_count(made[0])
        if len(made) > 1 or frames not in (None, count):
            raise PluginError(
                Trouble.IMPORT,
                f"DaVinci Resolve imported {len(made)} clips with {frames} frames instead of one with {count}.",
                "In the Media Storage panel's menu set Frame Display Mode to Sequence, or switch off Show Individual "
                f"Frames. {remedy}",
            )
        # A sequence comes in at the project's rate, and clips at another rate than the timeline's are retimed.
        for _ in range(2):
            made[0].SetClipProperty("FPS", host.rate.number)
            if has_rate(made[0], host.rate):
                break
        # Where Resolve does not say it, the clip's length on the timeline will tell.
        if timecode.number(told(made[0].GetClipProperty, "FPS")) is not None and not has_rate(made[0], host.rate):
            raise PluginError(
                Trouble.IMPORT,
                f"The imported in-betweens stay at {made[0].GetClipProperty('FPS')} frames per second; the timeline "
                f"has {host.rate}.",
                remedy,
            )
    except PluginError:
        for item in made:
            discard(host, item)
        raise
    return made[0]


def _check_bin(host: Host, media: MediaPoolItem, place: Folder) -> None:
    """Tell where a clip has come into another bin than the one it was meant for."""
    wanted = told(media.GetUniqueId)
    shown = told(host.pool.GetCurrentFolder)
    if shown is None or told(shown.GetUniqueId) == told(place.GetUniqueId):
        return
    if wanted in {told(clip.GetUniqueId) for clip in told(shown.GetClipList) or [] if clip is not None}:
        host.tell(f"The clip is in the bin “{told(shown.GetName)}”, not in “{told(place.GetName)}”.")


def has_rate(media: MediaPoolItem, rate: Rate) -> bool:
    """Whether a clip runs at the timeline's rate."""
    shown = timecode.number(told(media.GetClipProperty, "FPS"))
    return shown is not None and abs(shown - float(rate.exact)) < 0.005


def match_colours(host: Host, media: MediaPoolItem) -> str:
    """Tell a colour-managed project what the frames are in: what it puts out, as the stills are.

    Returns:
        A sentence for the user where that did not take; "" where it did, or where nothing is managed.
    """
    science = str(host.setting("colorScienceMode") or "").lower()
    if not science or science == "davinciyrgb":
        return ""
    by_hand = "select the clip in the bin “Tweenbridge”, right-click, and choose"
    if "aces" in science:
        output = host.setting("colorAcesODT") or "that of the project's output"
        return (
            f"The project works in ACES, whose input transform has to be set: {by_hand} ACES Input Transform, {output}."
        )
    wanted = {"Input Color Space": host.setting("colorSpaceOutput")}
    if str(host.setting("separateColorSpaceAndGamma") or "0") == "1":
        wanted["Input Gamma"] = host.setting("colorSpaceOutputGamma")
    refused = []
    for name, value in wanted.items():
        if value is None:
            refused.append(f"{name}, that of the project's output")
            continue
        for _ in range(2):
            if told(media.GetClipProperty, name) != value:
                media.SetClipProperty(name, value)
        if told(media.GetClipProperty, name) != value:
            refused.append(f"{name}, {value}")
    if not refused:
        return ""
    return f"The in-betweens' colours may be off in this colour-managed project: {by_hand} {' and '.join(refused)}."


def discard(host: Host, media: MediaPoolItem) -> bool:
    """Take an imported clip out of the media pool; whether it is gone. Its files stay."""
    wanted = told(media.GetUniqueId)
    for _ in range(2):
        host.pool.DeleteClips([media])
        if wanted is not None and wanted not in {told(clip.GetUniqueId) for clip in clips_of(host)}:
            return True
    host.tell(f"The clip “{media.GetName()}” is still in the bin “{BIN}”.")
    return False


def clips_of(host: Host) -> List[MediaPoolItem]:
    """The clips of the bin that the media pool shows, and of our own."""
    shown = told(host.pool.GetCurrentFolder)
    folders = ([] if shown is None else [shown]) + bins(host)
    return [clip for folder in folders for clip in told(folder.GetClipList) or [] if clip is not None]


def keep_recipe(media: MediaPoolItem, recipe: Recipe) -> bool:
    """Write the recipe into the clip: its metadata, else a marker's custom data. Whether it can be read again."""
    text = to_text(recipe)
    if has(media, "SetThirdPartyMetadata"):
        media.SetThirdPartyMetadata(_KEY, text)
    if read_recipe(media) != recipe:
        media.AddMarker(0, "Green", _MARKER_NAME, "How these in-betweens were made.", 1, text)
    return read_recipe(media) == recipe


def read_recipe(media: MediaPoolItem) -> Optional[Recipe]:
    """How a clip's in-betweens were made; None where it is not ours, or where what it says cannot be read."""
    texts = []
    if has(media, "GetThirdPartyMetadata"):
        texts.append(told(media.GetThirdPartyMetadata, _KEY))
    for marker in (told(media.GetMarkers) or {}).values():
        if marker.get("name") == _MARKER_NAME:
            texts.append(marker.get("customData"))
    found = (from_text(text) for text in texts if isinstance(text, str) and text)
    return next((recipe for recipe in found if recipe is not None), None)


@dataclass(frozen=True)
class Take:
    """In-betweens that lie on the timeline.

    Attributes:
        keyframes: those they were made from, where they lie now.
        whole: all of them; else only those around the clip that was looked at, as the others have moved differently.
    """

    recipe: Recipe
    keyframes: Tuple[Keyframe, ...]
    whole: bool


def take_media(host: Host, frame: int) -> Optional[MediaPoolItem]:
    """The topmost in-betweens over a frame, in the media pool; None where there are none."""
    found = _over(host, frame)
    return None if found is None else found[1]


def _over(host: Host, frame: int) -> Optional[Tuple[TimelineItem, MediaPoolItem, Recipe]]:
    for track in reversed(tracks(host)):
        item = item_at(host, frame, track.index)
        media = None if item is None else told(item.GetMediaPoolItem)
        recipe = None if media is None else read_recipe(media)
        if item is not None and media is not None and recipe is not None:
            return item, media, recipe
    return None


def take_at(host: Host, frame: int) -> Optional[Take]:
    """The topmost in-betweens over a frame; None where there are none."""
    over = _over(host, frame)
    if over is None:
        return None
    item, media, recipe = over
    wanted = told(media.GetUniqueId)
    others = []
    for each in tracks(host):
        for other in items(host, each.index):
            origin = told(other.GetMediaPoolItem)
            if origin is not None and told(origin.GetUniqueId) == wanted:
                others.append(_lies(other))
    now = keyframes_now(recipe, _lies(item), others)
    keyframes = tuple(
        replace(k, label=k.label.replace(host.text(k.frame - shift), host.text(k.frame))) for shift, k in now
    )
    return Take(recipe, keyframes, len(now) == len(recipe.keyframes)) if now else None


def _lies(item: TimelineItem) -> Lies:
    offset = told(item.GetLeftOffset) if has(item, "GetLeftOffset") else None
    return Lies(span(item)[0], int(offset or 0))
