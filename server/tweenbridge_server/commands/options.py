"""What the options of `tweenbridge interpolate` may be, and what they mean. Pure functions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from tweenbridge.pixels import Encoding, PixelFormat, SampleType
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import Scalar
from tweenbridge.timing import Spacing, Timing

DEFAULT_COUNT = 7

FORMATS: dict[str, PixelFormat] = {
    "png": PixelFormat(Encoding.PNG),
    "png8": PixelFormat(Encoding.PNG, dtype=SampleType.UINT8),
    "png16": PixelFormat(Encoding.PNG, dtype=SampleType.UINT16),
    "tiff": PixelFormat(Encoding.TIFF),
    "tiff8": PixelFormat(Encoding.TIFF, dtype=SampleType.UINT8),
    "tiff16": PixelFormat(Encoding.TIFF, dtype=SampleType.UINT16),
    "tiff32": PixelFormat(Encoding.TIFF, dtype=SampleType.FLOAT32),
    "exr": PixelFormat(Encoding.EXR),
    "exr16": PixelFormat(Encoding.EXR, dtype=SampleType.FLOAT16),
    "exr32": PixelFormat(Encoding.EXR, dtype=SampleType.FLOAT32),
    "jpeg": PixelFormat(Encoding.JPEG),
}
"""The names that --format takes. Without a depth it is the keyframe's, where the encoding can hold that."""


def _bad(sentence: str, remedy: str) -> TweenbridgeError:
    return TweenbridgeError(ErrorCode.BAD_REQUEST, sentence, remedy=remedy)


def _one_of(names: Sequence[str]) -> str:
    return f"It can be {', '.join(names[:-1])} or {names[-1]}."


def timing(count: int | None, spacing: str, chart: str | None, hold: int, loop: bool) -> Timing:
    """The timing that the options ask for.

    Raises:
        TweenbridgeError: BAD_REQUEST naming the option.
    """
    names = [item.value for item in Spacing]
    if spacing not in names:
        raise _bad(f"--timing {spacing} is not known.", _one_of(names))
    if count is not None and count < 1:
        raise _bad(f"--count {count} makes no in-betweens.", "Give 1 or more.")
    times = _chart(chart)
    if count is None and not times:
        count = DEFAULT_COUNT
    return Timing(count=count, spacing=Spacing(spacing), chart=times, hold=hold, loop=loop)


def _chart(text: str | None) -> tuple[float, ...]:
    if text is None:
        return ()
    try:
        times = tuple(float(part) for part in text.replace(" ", ",").split(",") if part)
    except ValueError:
        raise _bad(
            f"--chart {text} is not a timing chart.", "Give times between 0 and 1, with commas: --chart 0.1,0.5,0.9"
        ) from None
    remedy = "Give rising times between 0 and 1, with commas: --chart 0.1,0.5,0.9"
    if not times:
        raise _bad(f"--chart {text!r} has no times.", remedy)
    if any(later < earlier for earlier, later in zip(times, times[1:])):
        raise _bad(f"--chart {text} goes back in time.", remedy)
    return times


def output_format(name: str) -> PixelFormat | None:
    """The format that --format names; None (as the keyframes) for ""."""
    if not name:
        return None
    if name.lower() not in FORMATS:
        raise _bad(f"--format {name} is not known.", _one_of(list(FORMATS)))
    return FORMATS[name.lower()]


_PATHS = ("model", "vae", "lora")
"""Settings that may name a file: the server works in another folder."""


def text_settings(engine: str) -> frozenset[str]:
    """Names of an engine's settings that are text, whatever their values look like."""
    from ..engines import registry

    known = {info.name: info for info in registry.infos()}
    settings = known[engine].settings if engine in known else ()
    return frozenset(setting.name for setting in settings if setting.kind == "str")


def engine_settings(
    assignments: Sequence[str], given: Mapping[str, Scalar | None] | None = None, texts: Collection[str] = ()
) -> dict[str, Scalar]:
    """The engine settings that options ask for.

    Args:
        assignments: what `--set` was given: "name=value".
        given: settings that have an option of their own, which counts; None where it was not given.
        texts: names of settings whose values are text, even one that looks like a number.
    """
    settings: dict[str, Scalar] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not (name.strip() and equals):
            raise _bad(f"--set {assignment} is not a setting.", "Write it as --set name=value.")
        settings[name.strip()] = value.strip() if name.strip() in texts else _scalar(value.strip())
    settings |= {name: value for name, value in (given or {}).items() if value is not None}
    return {name: _absolute(value) if name in _PATHS else value for name, value in settings.items()}


def _absolute(value: Scalar) -> Scalar:
    """The path of a file that is there, seen from here; anything else (a hub id) as it is."""
    path = Path(str(value)).expanduser() if value else Path()
    return str(path.absolute()) if value and path.exists() else value


def _scalar(text: str) -> Scalar:
    if text.lower() in ("true", "yes", "on"):
        return True
    if text.lower() in ("false", "no", "off"):
        return False
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
