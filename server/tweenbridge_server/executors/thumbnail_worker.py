"""The process that makes thumbnails, `python -m tweenbridge_server.executors.thumbnail_worker`: one answer a question.

numpy, OpenCV and OpenImageIO are imported here.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from tweenbridge.pixels import PixelFormat
from tweenbridge.protocol.codec import from_plain, to_plain
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError

from ..imaging.display import thumbnail
from .pipe import claim_pipes, read_message, write_message

_NICE = 10


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """The picture that is asked for, or what is wrong with the file."""
    try:
        form = from_plain(PixelFormat, question["format"])
        png, width, height = thumbnail(Path(question["path"]), form, question["name"], question["side"])
    except TweenbridgeError as error:
        return {"error": to_plain(error.info)}
    except Exception:  # noqa: BLE001 - whatever a damaged file does to a library, the next one may be well
        unforeseen = TweenbridgeError(ErrorCode.INTERNAL, f"{question['name']} cannot be shown.")
        return {"error": to_plain(unforeseen.info)}
    return {"width": width, "height": height, "png": png}


def main() -> None:
    """Answer until the server closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(_NICE)
    questions, answers = claim_pipes()
    while (question := read_message(questions)) is not None:
        write_message(answers, answer(question))


if __name__ == "__main__":
    main()
