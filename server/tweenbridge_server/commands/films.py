"""`tweenbridge stills`, `film` and `thumbnails`: stills out of films, films out of stills, and small pictures."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError

from .console import plural, print_json, say, short_path
from .output import write_own

MOST_SPREAD = 100
FILM_ENDINGS = (".mp4", ".m4v", ".mov", ".mkv")
"""Of films that can be made; .mkv is lossless."""


@dataclass(frozen=True)
class Still:
    """One frame of a film: its number from 0, and the file it was written to."""

    frame: int
    file: Path


def stills(
    film: Path, at: Sequence[str], spread: int, side: int, out: Path, as_json: bool, overwrite: bool = False
) -> None:
    """Write frames of a film as PNG files, and say which.

    Args:
        at: frames by their numbers or times, as in `clip.mp4@36` and `clip.mp4@00:01.5`.
        spread: so many frames evenly over the film, the first and the last among them.
        side: most pixels of a picture's longer side; 0 keeps the film's size.
        overwrite: write over other files of these names.

    Raises:
        TweenbridgeError: BAD_KEYFRAME for a file that is no film, BAD_REQUEST for frames that are not in it, and for
            files in the way.
    """
    from ..imaging import video

    if not film.is_file():
        raise TweenbridgeError(ErrorCode.BAD_KEYFRAME, f"{film} is not there.", remedy="Check the file's name.")
    if not at and not spread:
        raise TweenbridgeError(
            ErrorCode.BAD_REQUEST, "Nothing says which frames are wanted.", remedy="Add --at 36, or --spread 12."
        )
    length = video.length(film)
    wanted = [video.number_of(video.parse_position(film, position)) for position in at]
    wanted += _evenly(length.frames, spread)
    out.mkdir(parents=True, exist_ok=True)
    found = []
    for number in dict.fromkeys(wanted):
        file = out / f"{film.stem}_{number:06d}.png"
        write_own(file, video.grabbed(video.VideoFrame(film, number=number), side), overwrite)
        found.append(Still(number, file))
    _report(found, length.frames, length.rate, out, as_json)


def tell_alpha(transparent: bool) -> None:
    """Say that a film lies on grey where its pictures are transparent."""
    if transparent:
        say("Note: A film holds no alpha: transparent parts lie on light grey.")


def _report(found: Sequence[Still], frames: int, rate: Fraction, out: Path, as_json: bool) -> None:
    if as_json:
        listed = [{"frame": still.frame, "file": str(still.file.absolute())} for still in found]
        print_json({"frames": frames, "fps": float(rate), "stills": listed})
        return
    for still in found:
        print(f"{still.frame:>8}  {short_path(still.file)}")
    print(f"{plural(len(found), 'still')} of {frames} frames in {short_path(out)}")


def _evenly(frames: int, count: int) -> list[int]:
    """So many numbers from 0 to the last frame, evenly spread."""
    if count < 2 or frames < 2:
        return [0][:count]
    count = min(count, frames)
    return [round(index * (frames - 1) / (count - 1)) for index in range(count)]


def thumbnails(pictures: Sequence[Path], side: int, out: Path, as_json: bool, overwrite: bool = False) -> None:
    """Write small PNG files of stills, as people look at them, and say which is of which; damaged ones are left out.

    Raises:
        TweenbridgeError: BAD_REQUEST for files in the way, unless `overwrite` says that they may go.
    """
    from tweenbridge.pixels import PixelFormat

    from ..imaging import taken
    from ..imaging.display import thumbnail

    out.mkdir(parents=True, exist_ok=True)
    found = []
    for number, picture in enumerate(pictures):
        try:
            with tempfile.TemporaryDirectory(prefix="tweenbridge-") as scratch:
                file = picture if taken.sniffed(picture) else taken.still(picture, Path(scratch))[0]
                png, _, _ = thumbnail(file, PixelFormat(taken.known(file)), picture.name, side)
        except OSError as error:
            say(f"{picture.name} cannot be read: {(error.strerror or 'no reason is known').lower()}.")
            continue
        except TweenbridgeError as error:
            say(str(error))
            continue
        file = out / f"{number:04d}_{picture.stem}.png"
        write_own(file, png, overwrite)
        found.append({"file": str(picture), "thumbnail": str(file.absolute())})
    if as_json:
        print_json(found)
    else:
        print(f"{plural(len(found), 'thumbnail')} in {short_path(out)}")


def film(pictures: Sequence[Path], out: Path, rate: float, overwrite: bool) -> None:
    """Make a film of stills in the order given.

    Raises:
        TweenbridgeError: BAD_REQUEST when a file is in the way or the pictures do not fit; BAD_KEYFRAME.
    """
    from ..imaging.video import encode

    if out.suffix.lower() not in FILM_ENDINGS:
        raise TweenbridgeError(
            ErrorCode.BAD_REQUEST, f"{out} cannot be made.", remedy="Let the name end in .mp4, or .mkv for no loss."
        )
    if out.exists() and not overwrite:
        raise TweenbridgeError(
            ErrorCode.BAD_REQUEST, f"{out} is there already.", remedy="Choose another name, or add --overwrite."
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".tweenbridge-", dir=out.parent) as scratch:
        made = Path(scratch) / out.name
        tell_alpha(encode(pictures, made, rate))
        os.replace(made, out)
    print(f"film: {short_path(out)}")
