"""`tweenbridge demo`: everything once, on keyframes that are drawn on the spot."""

from __future__ import annotations

from pathlib import Path

from tweenbridge.timing import Spacing, Timing

from .commands.console import duration, in_users_words, say, short_path
from .commands.interpolate import Options
from .commands.interpolate import run as interpolate

COUNT = 11
FPS = 24.0


def run(folder: Path, home: Path, overwrite: bool = False) -> None:
    """Draw the keyframes into `folder`, make in-betweens, a film and a contact sheet there, and say where they are.

    Raises:
        TweenbridgeError: BAD_REQUEST where other files are in the way and may not be written over.
    """
    from .demo_scene import write_keyframes

    say("Drawing three keyframes...")
    keyframes = write_keyframes(folder / "keyframes", overwrite)
    say(f"Making {COUNT} in-betweens in each gap, with easing...")
    chosen = Options(
        keyframes=tuple(str(path) for path in keyframes),
        timing=Timing(count=COUNT, spacing=Spacing.EASE_IN_OUT),
        folder=folder / "frames",
        video=folder / "hop.mp4",
        sheet=folder / "sheet.jpg",
        fps=FPS,
        overwrite=overwrite,
    )
    result = interpolate(chosen, home)
    print(f"Done: {len(result.frames)} in-betweens in {duration(result.seconds)}.")
    print(f"  frames         {short_path(result.folder)}")
    print(f"  film           {short_path(folder / 'hop.mp4')}")
    print(f"  contact sheet  {short_path(folder / 'sheet.jpg')}")
    print(in_users_words("Your own pictures: `tweenbridge interpolate A.png B.png --video film.mp4`"))
