"""The running Resolve: its project and timeline, what this version can do, and putting the user's view back.

Every call into Resolve happens on the thread that made the `Host`. Each may block while Resolve plays, renders or shows
a dialog, and may answer None at any time.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Iterator, List, Optional, Tuple, TypeVar

from . import timecode
from .api import has, told
from .errors import PluginError, Trouble
from .timecode import AbsoluteFrame, Rate

if TYPE_CHECKING:
    from .api import Folder, MediaPool, Project, Resolve, Timeline

EDIT_PAGE, DELIVER_PAGE = "edit", "deliver"
_PATIENCE = 1.0
"""Seconds that Resolve gets to show what it was told: a moved playhead, an added track."""
_MODULES = {
    "win32": r"%PROGRAMDATA%\Blackmagic Design\DaVinci Resolve\Support\Developer\Scripting\Modules",
    "darwin": "/Library/Application Support/Blackmagic Design/DaVinci Resolve/Developer/Scripting/Modules",
}
_LINUX = ("/opt/resolve", "/home/resolve")
"""Where Resolve is on Linux; some distributions' packages use the second."""

_SCRIPTING = "Developer/Scripting/Modules"

T = TypeVar("T")


def settled(ask: Callable[[], T], wanted: Callable[[T], bool], patience: float = _PATIENCE) -> T:
    """Ask Resolve until the answer is as wanted, or patience ends; returns the last answer."""
    end = time.monotonic() + patience
    while True:
        answer = ask()
        if wanted(answer) or time.monotonic() >= end:
            return answer
        time.sleep(0.02)


def connect() -> Tuple[Resolve, Any]:
    """Resolve, from a program outside it, and the scripting module, which can also make windows.

    Raises:
        PluginError: NO_RESOLVE, it does not run, or does not let programs in.
    """
    modules = _modules()
    # The module loads a Python library of its own where nothing says which one runs already.
    os.environ.setdefault("FUSION_PYTHON3_HOME", sys.base_prefix)
    if modules not in sys.path:
        sys.path.append(modules)
    remedy = (
        "Start DaVinci Resolve Studio and set Preferences > System > General > External scripting using to Local. "
        "The free edition lets no program in: there, use Workspace > Scripts."
    )
    try:
        import DaVinciResolveScript
    except (ImportError, OSError, SystemExit) as error:
        if (Path(modules) / "DaVinciResolveScript.py").is_file():
            version = "{}.{}".format(*sys.version_info)
            sentence = f"DaVinci Resolve's scripting module does not load in Python {version}: {error}"
            raise PluginError(
                Trouble.NO_RESOLVE, sentence, "Use Workspace > Scripts > Tweenbridge in DaVinci Resolve instead."
            ) from error
        sentence = "DaVinci Resolve's scripting module is not on this computer."
        raise PluginError(Trouble.NO_RESOLVE, sentence, f"Install DaVinci Resolve Studio. {remedy}") from error
    found = DaVinciResolveScript.scriptapp("Resolve")
    if found is None:
        raise PluginError(Trouble.NO_RESOLVE, "DaVinci Resolve does not run, or does not let programs in.", remedy)
    resolve: Resolve = found
    return resolve, DaVinciResolveScript


def _modules() -> str:
    """The folder that the scripting module is in."""
    chosen = os.environ.get("RESOLVE_SCRIPT_API")
    if chosen:
        return str(Path(chosen) / "Modules")
    if sys.platform in _MODULES:
        return os.path.expandvars(_MODULES[sys.platform])
    root = next((root for root in _LINUX if Path(root, _SCRIPTING).is_dir()), _LINUX[0])
    library = Path(root, "libs/Fusion/fusionscript.so")
    if root != _LINUX[0] and library.is_file():
        # The module itself looks in the usual place only.
        os.environ.setdefault("RESOLVE_SCRIPT_LIB", str(library))
    return str(Path(root, _SCRIPTING))


class Host:
    """Resolve with its current project and timeline.

    Attributes:
        start: the timeline's first frame.
        rate: its frame rate.
        kept_preset: the render preset that holds the user's settings where they did not come back; "" where they are.
        not_restored: sentences about what could not be put back as the user had it; whoever reports a run says them.

    Raises:
        PluginError: NO_RESOLVE, NO_TIMELINE; TIMECODE where frames and timecode do not agree.
    """

    def __init__(self, resolve: Resolve) -> None:
        self.resolve = resolve
        if not self.is_alive():
            raise PluginError(Trouble.NO_RESOLVE, "DaVinci Resolve does not answer.", "Start it again, then try again.")
        self.project = self._project()
        self.pool = self._pool()
        self.timeline = self._timeline()
        self.rate = self._rate()
        self.start = self._start()
        self.not_restored: List[str] = []
        self.kept_preset = ""

    def _project(self) -> Project:
        manager = told(self.resolve.GetProjectManager)
        project = None if manager is None else told(manager.GetCurrentProject)
        if project is None:
            raise PluginError(Trouble.NO_TIMELINE, "No project is open in DaVinci Resolve.", "Open one and try again.")
        return project

    def _pool(self) -> MediaPool:
        pool = told(self.project.GetMediaPool)
        if pool is None:
            raise PluginError(
                Trouble.NO_TIMELINE,
                "DaVinci Resolve does not open its Media Pool to scripts.",
                "Close open dialogs, then try again.",
            )
        return pool

    def _timeline(self) -> Timeline:
        timeline = told(self.project.GetCurrentTimeline)
        if timeline is None:
            raise PluginError(
                Trouble.NO_TIMELINE,
                "No timeline is open in DaVinci Resolve.",
                "Open one on the Edit page and try again.",
            )
        return timeline

    def _rate(self) -> Rate:
        drop = str(self.setting("timelineDropFrameTimecode") or "0").lower() in ("1", "true")
        return timecode.parse_rate(self.setting("timelineFrameRate") or "", drop)

    def _start(self) -> AbsoluteFrame:
        """Markers count from the timeline's start and clips from timecode zero, so the two have to agree about it."""
        shown = told(self.timeline.GetStartTimecode)
        start = told(self.timeline.GetStartFrame)
        if shown is None or start is None or timecode.parse(str(shown), self.rate) != start:
            raise PluginError(
                Trouble.TIMECODE,
                f"The timeline starts at timecode {shown}, but Resolve says that this is frame {start} "
                f"at {self.rate} frames per second.",
                "Check the timeline's frame rate and drop frame setting; a timeline that was made at another rate has "
                "to be made again.",
            )
        return AbsoluteFrame(start)

    def look_again(self) -> None:
        """Take note of the timeline's rate and start as they are now: the user may have changed them.

        Raises:
            PluginError: NO_TIMELINE, it is not there any more; TIMECODE as at first.
        """
        if told(self.timeline.GetStartFrame) is None:
            raise PluginError(
                Trouble.NO_TIMELINE,
                "The timeline is not there any more.",
                "Open one and generate the in-betweens again.",
            )
        self.rate = self._rate()
        self.start = self._start()

    def tell(self, sentence: str) -> None:
        """Take note of something that could not be put back."""
        if sentence not in self.not_restored:
            self.not_restored.append(sentence)

    # ------------------------------------------------------------ asking

    def is_alive(self) -> bool:
        """Whether Resolve still runs. A script may live on in a process of its own after it."""
        try:
            return bool(told(self.resolve.GetProductName))
        except Exception:  # noqa: BLE001 - what a lost connection raises is not documented
            return False

    @property
    def version(self) -> str:
        """The edition and version, like "DaVinci Resolve Studio 20.3.1"."""
        name = self.resolve.GetProductName() or "DaVinci Resolve"
        return f"{name} {self.resolve.GetVersionString()}" if has(self.resolve, "GetVersionString") else name

    def setting(self, name: str) -> Any:
        """A setting of the timeline, else of the project; None where neither says."""
        for owner in (self.timeline, self.project):
            value = told(owner.GetSetting, name) if has(owner, "GetSetting") else None
            if value in (None, "") and has(owner, "GetSettings"):
                value = (told(owner.GetSettings) or {}).get(name)
            if value not in (None, ""):
                return value
        return None

    def size(self) -> Optional[Tuple[int, int]]:
        """The timeline's width and height in pixels; None where Resolve does not say."""
        try:
            return int(self.setting("timelineResolutionWidth")), int(self.setting("timelineResolutionHeight"))
        except (TypeError, ValueError):
            return None

    def text(self, frame: int) -> str:
        """A frame's timecode on this timeline."""
        return timecode.text(frame, self.rate)

    # ------------------------------------------------------------ the view

    def playhead(self) -> Optional[int]:
        """The frame that the viewer shows; None where Resolve does not say, as on the Media page."""
        shown = told(self.timeline.GetCurrentTimecode)
        try:
            return None if not shown else timecode.parse(str(shown), self.rate)
        except PluginError:
            return None

    def seek(self, frame: int) -> None:
        """Move the playhead, and see to it that it has moved.

        Raises:
            PluginError: PLAYHEAD, it stays elsewhere.
        """
        wanted = self.text(frame)
        for _ in range(3):
            self.timeline.SetCurrentTimecode(wanted)
            if settled(self.playhead, lambda shown: shown == frame, _PATIENCE / 3) == frame:
                return
        raise PluginError(
            Trouble.PLAYHEAD,
            f"The playhead did not move to {wanted}.",
            "Stop the playback, close open dialogs in DaVinci Resolve, then try again.",
        )

    def open_page(self, page: str) -> bool:
        """Show a page; whether it is shown now."""
        for _ in range(2):
            if self.resolve.GetCurrentPage() == page:
                return True
            self.resolve.OpenPage(page)
        return settled(self.resolve.GetCurrentPage, lambda shown: shown == page) == page

    @contextmanager
    def view_kept(self) -> Iterator[None]:
        """Work on the Edit page, on this timeline; afterwards the view is as the user left it.

        What cannot be put back is added to `not_restored`.

        Raises:
            PluginError: NO_TIMELINE, this timeline is not there any more; TIMECODE; PLAYHEAD, the page does not open.
        """
        page, folder = told(self.resolve.GetCurrentPage), told(self.pool.GetCurrentFolder)
        shown = self._shown_timeline()
        try:
            if not self.open_page(EDIT_PAGE):
                raise PluginError(
                    Trouble.PLAYHEAD,
                    "DaVinci Resolve did not open the Edit page.",
                    "Close open dialogs in DaVinci Resolve, then try again.",
                )
            self._show_timeline()
            place = settled(lambda: told(self.timeline.GetCurrentTimecode), _is_said, _PATIENCE / 3)
            try:
                yield
            finally:
                if place and self.is_alive():
                    self._put_playhead_back(str(place))
        finally:
            if self.is_alive():
                self._put_back(page, folder, shown)

    def _put_playhead_back(self, place: str) -> None:
        for _ in range(3):
            if self.timeline.GetCurrentTimecode() == place:
                return
            self.timeline.SetCurrentTimecode(place)
        if settled(self.timeline.GetCurrentTimecode, lambda shown: shown == place, _PATIENCE / 3) != place:
            self.tell(f"The playhead was at {place} and did not go back there.")

    def _put_back(self, page: Optional[str], folder: Optional[Folder], shown: Optional[Timeline]) -> None:
        if folder is not None and not self._shows(folder):
            self.pool.SetCurrentFolder(folder)
            if not self._shows(folder):
                self.pool.SetCurrentFolder(folder)
            if not self._shows(folder):
                self.tell(f"The Media Pool showed the bin “{folder.GetName()}” before: open it again.")
        if shown is not None and not self.show(shown):
            self.tell(f"The timeline “{shown.GetName()}” was shown before: open it again.")
        if page is not None and not self.open_page(page):
            self.tell(f"The {page.capitalize()} page was shown before: open it again.")

    def _shows(self, folder: Folder) -> bool:
        current = told(self.pool.GetCurrentFolder)
        return current is not None and told(current.GetUniqueId) == told(folder.GetUniqueId)

    def show(self, timeline: Timeline) -> bool:
        """Show a timeline; whether it is shown now."""
        for _ in range(3):
            if self._is_shown(timeline):
                return True
            self.project.SetCurrentTimeline(timeline)
        return self._is_shown(timeline)

    def _is_shown(self, timeline: Timeline) -> bool:
        current = told(self.project.GetCurrentTimeline)
        return current is not None and told(current.GetUniqueId) == told(timeline.GetUniqueId)

    def _shown_timeline(self) -> Optional[Timeline]:
        """The timeline that is shown instead of this one; None where it is this one."""
        if told(self._project().GetUniqueId) != told(self.project.GetUniqueId):
            name = self.project.GetName()
            raise PluginError(
                Trouble.NO_TIMELINE, f"The project “{name}” is not open any more.", "Open it and try again."
            )
        return None if self._is_shown(self.timeline) else told(self.project.GetCurrentTimeline)

    def _show_timeline(self) -> None:
        if not self.show(self.timeline):
            raise PluginError(
                Trouble.NO_TIMELINE,
                "The timeline is not there any more.",
                "Open one and generate the in-betweens again.",
            )
        self.look_again()


def _is_said(answer: object) -> bool:
    return answer is not None
