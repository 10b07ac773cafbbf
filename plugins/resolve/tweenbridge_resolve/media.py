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
    """The bin of this name in the media pool's root, made where there is none.

    Raises:
        PluginError: IMPORT, Resolve makes none.
    """
    root = told(host.pool.GetRootFolder)
    found = None if root is None else _named(root, name)
    if found is not None:
        return found
    made = None if root is None else host.pool.AddSubFolder(root, name) or _named(root, name)
    if made is None and root is not None:
        made = host.pool.AddSubFolder(root, name)
    if made is None:
        raise PluginError(
            Trouble.IMPORT,
            f"DaVinci Resolve makes no bin “{name}” in the media pool.",
            "Close open dialogs in DaVinci Resolve, then try again.",
        )
    return made


def _named(root: Folder, name: str) -> Optional[Folder]:
    folders = told(root.GetSubFolderList) or []
    return next((folder for folder in folders if folder is not None and told(folder.GetName) == name), None)


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
    remedy = f"The frames are in {folder}; they can be dragged into the media pool by hand."
    if not made:
        raise PluginError(Trouble.IMPORT, "DaVinci Resolve does not import the in-betweens.", remedy)
    try:
        frames = frame_count(made[0])
        if len(made) > 1 or frames not in (None, count):
            raise PluginError(
                Trouble.IMPORT,
                f"DaVinci Resolve imported {len(made)} clips with {frames} frames instead of one with {count}.",
                f"Switch off Show Individual Frames in the media storage's menu. {remedy}",
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
                f"The imported in-betweens keep their rate of {made[0].GetClipProperty('FPS')}, not {host.rate}.",
                remedy,
            )
    except PluginError:
        for item in made:
            discard(host, item)
        raise
    return made[0]


def has_rate(media: MediaPoolItem, rate: Rate) -> bool:
    """Whether a clip runs at the timeline's rate."""
    shown = timecode.number(told(media.GetClipProperty, "FPS"))
    return shown is not None and abs(shown - float(rate.exact)) < 0.005


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
    """The clips of the bin that the media pool shows."""
    folder = told(host.pool.GetCurrentFolder)
    return [clip for clip in (told(folder.GetClipList) or [] if folder is not None else []) if clip is not None]


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


def take_at(host: Host, frame: int) -> Optional[Take]:
    """The topmost in-betweens over a frame; None where there are none."""
    for track in reversed(tracks(host)):
        item = item_at(host, frame, track.index)
        media = None if item is None else told(item.GetMediaPoolItem)
        recipe = None if media is None else read_recipe(media)
        if item is None or media is None or recipe is None:
            continue
        wanted = told(media.GetUniqueId)
        others = []
        for each in tracks(host):
            for other in items(host, each.index):
                origin = told(other.GetMediaPoolItem)
                if origin is not None and told(origin.GetUniqueId) == wanted:
                    others.append(_lies(other))
        now = keyframes_now(recipe, _lies(item), others)
        if now:
            keyframes = tuple(
                replace(k, label=k.label.replace(host.text(k.frame - shift), host.text(k.frame))) for shift, k in now
            )
            return Take(recipe, keyframes, len(now) == len(recipe.keyframes))
    return None


def _lies(item: TimelineItem) -> Lies:
    offset = told(item.GetLeftOffset) if has(item, "GetLeftOffset") else None
    return Lies(span(item)[0], int(offset or 0))
