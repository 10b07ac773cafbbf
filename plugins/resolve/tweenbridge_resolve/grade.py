"""The timeline's own grade, and the timeline without it: a copy, whose nodes are switched off, and which is deleted.

The API switches a node off, but tells of no node whether it is on. On the user's timeline it could not be put back as
it was, so nothing is switched there. A run that is killed leaves the copy, and the next one names it; it is not deleted
then, for the user may have gone on working in it.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Iterator, List, Optional, Tuple

from .api import has, told
from .errors import PluginError
from .host import Host, settled

if TYPE_CHECKING:
    from .api import Timeline

COPY = "Tweenbridge copy for keyframes"
_LISTED = 1.0
"""Seconds until a copy that was made has to be listed."""
STAYED = (
    "The timeline’s own grade could not be left out. Unless you have bypassed it, the in-betweens are graded twice."
)


@dataclass(frozen=True)
class View:
    """A timeline to capture keyframes from.

    Attributes:
        host: on the copy, or on the user's timeline where there is no grade or no way around it.
        nodes: those that are switched off on the copy.
        note: what could not be left out; "" for nothing.
    """

    host: Host
    nodes: Tuple[int, ...] = ()
    note: str = ""


def graded_nodes(host: Host) -> Tuple[int, ...]:
    """The nodes of the timeline's own graph that hold tools or a LUT, on or off."""
    graph = told(host.timeline.GetNodeGraph) if has(host.timeline, "GetNodeGraph") else None
    if graph is None:
        return ()
    nodes = range(1, int(told(graph.GetNumNodes) or 0) + 1)
    return tuple(node for node in nodes if told(graph.GetToolsInNode, node) or told(graph.GetLUT, node))


def can_leave_out(host: Host) -> bool:
    """This version has what it takes to capture keyframes without the timeline's grade."""
    graph = told(host.timeline.GetNodeGraph) if has(host.timeline, "GetNodeGraph") else None
    return graph is not None and has(graph, "SetNodeEnabled") and has(host.timeline, "DuplicateTimeline")


def left_over(host: Host) -> Tuple[str, ...]:
    """Names of copies that runs which were cut short have left behind."""
    return tuple(name for name, _ in _timelines(host) if name.startswith(COPY))


@contextmanager
def without_grade(host: Host, nodes: Optional[Tuple[int, ...]] = None) -> Iterator[View]:
    """The timeline without its own grade; afterwards it is shown again and nothing is left. Use it in `view_kept`.

    Args:
        nodes: to switch off; None for those of its grade.
    """
    nodes = graded_nodes(host) if nodes is None else nodes
    copy = _duplicate(host) if nodes and can_leave_out(host) else None
    if copy is None:
        if nodes:
            host.show(host.timeline)
        yield View(host, note=STAYED if nodes else "")
        return
    try:
        there = _opened(host, copy)
        if there is not None and switch(there, nodes, on=False):
            yield View(there, nodes)
        else:
            host.show(host.timeline)
            yield View(host, note=STAYED)
    finally:
        if host.is_alive():
            if not host.show(host.timeline):
                host.tell(f"The timeline “{told(host.timeline.GetName)}” was shown before: open it again.")
            _delete(host, copy)


def switch(host: Host, nodes: Tuple[int, ...], on: bool) -> bool:
    """Switch nodes of a copy on or off; whether Resolve took it for all."""
    try:
        graph = told(host.timeline.GetNodeGraph)
        return graph is not None and all(told(graph.SetNodeEnabled, node, on) for node in nodes)
    except Exception:  # noqa: BLE001 - what it raises is not documented, and there is a way without it
        return False


def _timelines(host: Host) -> List[Tuple[str, Timeline]]:
    """All timelines of the project, with their names."""
    project, found = host.project, []
    for index in range(1, int(told(project.GetTimelineCount) or 0) + 1):
        timeline = told(project.GetTimelineByIndex, index)
        if timeline is not None:
            found.append((str(told(timeline.GetName) or ""), timeline))
    return found


def _duplicate(host: Host) -> Optional[Timeline]:
    """A copy of the timeline; None where there comes none, and for anything that might be the user's own."""
    known = [name for name, _ in _timelines(host)]
    name = next(name for name in (COPY, *(f"{COPY} {n}" for n in range(2, len(known) + 3))) if name not in known)

    # Looked for by its name, which no timeline had: what the call answers may be nothing, or another timeline.
    def listed() -> Optional[Timeline]:
        return next((timeline for shown, timeline in _timelines(host) if shown == name), None)

    for _ in range(2):
        try:
            made = host.timeline.DuplicateTimeline(name)
        except Exception:  # noqa: BLE001 - what it raises is not documented, and there is a way without it
            return None
        copy = settled(listed, lambda found: found is not None, _LISTED if made else 0.0)
        if copy is not None:
            return copy
    return None


def _opened(host: Host, copy: Timeline) -> Optional[Host]:
    """A host on the copy; None where it is not what it should be."""
    if not host.show(copy):
        return None
    try:
        there = Host(host.resolve)
    except PluginError:
        return None
    there.not_restored = host.not_restored
    same = told(there.timeline.GetName) == told(copy.GetName) and (there.start, there.rate) == (host.start, host.rate)
    return there if same else None


def _delete(host: Host, copy: Timeline) -> None:
    name = told(copy.GetName)
    for _ in range(2):
        host.pool.DeleteTimelines([copy])
        if name is not None and name not in [shown for shown, _ in _timelines(host)]:
            return
    host.tell(f"A copy of your timeline, “{name or COPY}”, is still in the Media Pool: delete it.")
