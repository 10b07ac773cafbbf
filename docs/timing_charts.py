"""Draws the timing charts of docs/timing.md with the product's own arithmetic: `python docs/timing_charts.py`."""

from __future__ import annotations

from pathlib import Path

from tweenbridge import Spacing, Timing, schedule

FOLDER = Path(__file__).with_name("timing")
CHARTS = {
    "linear": Timing(count=7),
    "ease-in": Timing(count=7, spacing=Spacing.EASE_IN),
    "ease-out": Timing(count=7, spacing=Spacing.EASE_OUT),
    "ease-in-out": Timing(count=7, spacing=Spacing.EASE_IN_OUT),
    "twos": Timing(count=7, hold=2),
    "halves": Timing(count=7, chart=(0.5, 0.75, 0.875)),
    "snap": Timing(count=7, chart=(0.1, 0.5, 0.9)),
}
_WIDTH, _HEIGHT = 660, 150
_LEFT, _RIGHT = 40, 620
_INK, _KEY, _BALL = "#7a7a8c", "#d9822b", "#3d8fd1"


def svg(timing: Timing) -> str:
    """One gap: the chart, where the thing is in each drawing, and what every timeline frame shows."""
    assert timing.count is not None
    plan = schedule([0, timing.count + 1], timing)
    # Drawings at t = 0 are the keyframe itself, held.
    drawn = [drawing for drawing in plan.drawings if drawing.t > 0]
    names = {drawing.index: str(number) for number, drawing in enumerate(drawn, start=1)}
    shown = ["A", *(names.get(index, "A") for index in plan.gaps[0].exposures), "B"]
    parts = [_text(_LEFT, 24, "A", _KEY), _text(_RIGHT, 24, "B", _KEY)]
    parts.append(f'<path d="M{_LEFT} 46H{_RIGHT}" stroke="{_INK}" stroke-width="2"/>')
    for place in (_LEFT, _RIGHT):
        parts.append(f'<circle cx="{place}" cy="46" r="8" fill="none" stroke="{_KEY}" stroke-width="3"/>')
        parts.append(_ball(place, _KEY))
    for number, drawing in enumerate(drawn, start=1):
        x = _LEFT + (_RIGHT - _LEFT) * drawing.t
        parts.append(f'<path d="M{x:.1f} 36v20" stroke="{_INK}" stroke-width="2"/>')
        parts.append(_text(x, 28, str(number), _INK))
        parts.append(_ball(x, _BALL))
    step = (_RIGHT - _LEFT) / len(shown)
    for frame, name in enumerate(shown):
        colour = _KEY if name in "AB" else _BALL
        x = _LEFT + step * frame
        parts.append(
            f'<rect x="{x:.1f}" y="112" width="{step - 3:.1f}" height="26" rx="3" fill="{colour}" fill-opacity="0.25"/>'
        )
        parts.append(_text(x + step / 2 - 1.5, 130, name, colour))
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        f'font-size="14">\n{body}\n</svg>\n'
    )


def _text(x: float, y: float, text: str, colour: str) -> str:
    return f'<text x="{x:.1f}" y="{y}" text-anchor="middle" fill="{colour}">{text}</text>'


def _ball(x: float, colour: str) -> str:
    return f'<circle cx="{x:.1f}" cy="84" r="11" fill="{colour}" fill-opacity="0.55"/>'


def main() -> None:
    """Write all of them."""
    FOLDER.mkdir(exist_ok=True)
    for name, timing in CHARTS.items():
        (FOLDER / f"{name}.svg").write_text(svg(timing), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
