"""Importing the in-betweens: into a bin of their own, at the timeline's rate, with the recipe that made them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Optional

from .api import has
from .errors import PluginError, Trouble
from .host import Host
from .recipe import Recipe, from_text, to_text
from .timecode import Rate
from .timeline import frame_count, item_at, tracks

if TYPE_CHECKING:
    from .api import Folder, MediaPoolItem

BIN = "Tweenbridge"
PATTERN = "inbetween_%04d.tif"
_KEY = "tweenbridge"
_MARKER_NAME = "Tweenbridge"


def bin_folder(host: Host, name: str = BIN) -> Folder:
    """The bin of this name in the media pool's root, made where there is none.

    Raises:
        PluginError: IMPORT, Resolve makes none.
    """
    root = host.pool.GetRootFolder()
    for folder in (root.GetSubFolderList() or []) if root is not None else []:
        if folder is not None and folder.GetName() == name:
            return folder
    made = None if root is None else host.pool.AddSubFolder(root, name)
    if made is None:
        raise PluginError(
            Trouble.IMPORT,
            f"DaVinci Resolve makes no bin “{name}” in the media pool.",
            "Close open dialogs in DaVinci Resolve, then try again.",
        )
    return made


def import_sequence(host: Host, folder: Path, count: int, bin_name: str = BIN) -> MediaPoolItem:
    """Import `inbetween_0001.tif` and so on as one clip at the timeline's rate.

    Args:
        folder: a folder that nothing was imported from before: of a known path Resolve shows what it kept.
        count: files, two or more; a single one would be a still, which has no length.

    Raises:
        PluginError: IMPORT. Nothing is left in the media pool.
    """
    host.pool.SetCurrentFolder(bin_folder(host, bin_name))
    wanted = {"FilePath": str(folder / PATTERN), "StartIndex": 1, "EndIndex": count}
    made = [item for item in host.pool.ImportMedia([wanted]) or [] if item is not None]
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
        made[0].SetClipProperty("FPS", host.rate.number)
        if not has_rate(made[0], host.rate):
            raise PluginError(
                Trouble.IMPORT,
                f"The imported in-betweens keep their rate of {made[0].GetClipProperty('FPS')}, not {host.rate}.",
                remedy,
            )
    except PluginError:
        host.pool.DeleteClips(list(made))
        raise
    return made[0]


def has_rate(media: MediaPoolItem, rate: Rate) -> bool:
    """Whether a clip runs at the timeline's rate."""
    try:
        return abs(float(media.GetClipProperty("FPS")) - float(rate.exact)) < 0.005
    except (TypeError, ValueError):
        return False


def discard(host: Host, media: MediaPoolItem) -> None:
    """Take an imported clip out of the media pool. Its files stay."""
    host.pool.DeleteClips([media])


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
        texts.append(media.GetThirdPartyMetadata(_KEY))
    for marker in (media.GetMarkers() or {}).values():
        if marker.get("name") == _MARKER_NAME:
            texts.append(marker.get("customData"))
    found = (from_text(text) for text in texts if isinstance(text, str) and text)
    return next((recipe for recipe in found if recipe is not None), None)


def take_at(host: Host, frame: int) -> Optional[Recipe]:
    """The recipe of the topmost in-betweens over a frame; None where there are none."""
    for track in reversed(tracks(host)):
        item = item_at(host, frame, track.index)
        media = None if item is None else item.GetMediaPoolItem()
        recipe = None if media is None else read_recipe(media)
        if recipe is not None:
            return recipe
    return None
