"""The pictures of a job in the order in which they are shown, and how far a cross-fade would be at each. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from tweenbridge import JobRequest, schedule


@dataclass(frozen=True)
class Shown:
    """One picture of the reel: a keyframe or a drawing, between keyframes `a` and `b` at time `t` of their gap.

    Attributes:
        keyframe, frame: its number among the job's keyframes or drawings; one of both is None.
        gap: the gap it lies in; a keyframe lies in the gap that begins with it.
        a, b: the keyframes that a cross-fade would be made of.
        t: 0 is A, 1 is B; the keyframes themselves lie at 0, and the last one at 1.
    """

    keyframe: int | None
    frame: int | None
    gap: int
    a: int
    b: int
    t: float


def reel(request: JobRequest) -> tuple[Shown, ...]:
    """Keyframes and slots of a job, one after the other. A loop does not repeat its first keyframe.

    Raises:
        TweenbridgeError: as `schedule`.
    """
    plan = schedule([keyframe.position for keyframe in request.keyframes], request.timing)
    shown: list[Shown] = []
    for gap in plan.gaps:
        shown.append(Shown(gap.a, None, gap.index, gap.a, gap.b, 0.0))
        shown += [Shown(None, index, gap.index, gap.a, gap.b, plan.drawings[index].t) for index in gap.exposures]
    last = plan.gaps[-1]
    if last.b != 0:
        shown.append(Shown(last.b, None, last.index, last.a, last.b, 1.0))
    return tuple(shown)
