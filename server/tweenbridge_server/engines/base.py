"""What an engine is: pixels of two keyframes and times in, frames out. It knows nothing of jobs, sockets or files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from tweenbridge.protocol.messages import EngineInfo, Scalar

Image = NDArray[np.float32]
"""(H, W, 3) RGB or (H, W, 4) RGBA, float32, display-referred, nominally in [0, 1] (a little beyond is allowed); RGBA is
premultiplied. C-contiguous."""

Flow = NDArray[np.float32]
"""(H, W, 2) float32: for each pixel of one image, (dx, dy) in pixels to its place in the other image."""

Map = NDArray[np.float32]
"""(H, W) float32 in [0, 1]."""


@dataclass(frozen=True)
class Gap:
    """The two keyframes of a gap: equal shape.

    Attributes:
        a, b: the keyframes.
        shot: all keyframes of the job in order, each decoded when it is asked for; () where only the gap is known. They
            may differ from the gap's in size and channels.
    """

    a: Image
    b: Image
    shot: Sequence[Image] = ()


@dataclass(frozen=True)
class Motion:
    """Where things go between the two keyframes of a gap, and how far that can be trusted.

    Attributes:
        forward: flow from A to B, on A's pixels.
        backward: flow from B to A, on B's pixels.
        confidence_a: for each pixel of A, 1 where `forward` is trusted and the pixel is visible in B, 0 where not.
        confidence_b: the same for B and `backward`.
    """

    forward: Flow
    backward: Flow
    confidence_a: Map
    confidence_b: Map


@dataclass(frozen=True)
class Frame:
    """One in-between at time t of its gap, of the gap's size and channels."""

    t: float
    pixels: Image


LOADING: Final = "loading the model"
"""The stage in which an engine loads what it keeps for the next gaps."""
DRAWING: Final = "drawing in-betweens"
"""The stage from whose beginning on the time goes with the number of in-betweens; before it, all have it in common."""


class Cancelled(Exception):
    """Raised by `Progress` inside an engine when the job was cancelled; engines let it pass."""


@dataclass(frozen=True)
class Workplace:
    """Where an engine works.

    Attributes:
        device: what to compute on: "auto", "cpu", "cuda", "cuda:1", "mps", "xpu". Engines that compute on the
            processor alone ignore it.
        cache: a folder for what can be made again; None where nothing may be kept.
        compile_models: have a model compiled for the device, where the engine has one and can.
    """

    device: str = "auto"
    cache: Path | None = None
    compile_models: bool = False


class Progress(Protocol):
    """Called by an engine between steps."""

    def __call__(self, fraction: float, stage: str) -> None:
        """Report that `fraction` (0 to 1) of the gap's work is done and what comes next.

        Raises:
            Cancelled: the engine must stop now.
        """

    def note(self, code: str, message: str) -> None:
        """Tell the user something about the result that is not an error, in one sentence."""

    def preview(self, t: float, pixels: Image) -> None:
        """Show an unfinished in-between: any size with the gap's aspect, RGB."""


class Unheard:
    """A `Progress` for a caller who does not listen."""

    def __call__(self, fraction: float, stage: str) -> None:
        """Nobody hears of it."""

    def note(self, code: str, message: str) -> None:
        """Nobody is told."""

    def preview(self, t: float, pixels: Image) -> None:
        """Nobody looks."""


@runtime_checkable
class WarmsUp(Protocol):
    """An engine that can compile or load what a job needs before the first gap comes."""

    def warm_up(self, profile: str, settings: Mapping[str, Scalar]) -> None:
        """Make the first gap as fast as the next ones. What goes wrong here, the gap will meet and report again."""


@runtime_checkable
class Settles(Protocol):
    """An engine that wants to know where it works."""

    def settle(self, workplace: Workplace) -> None:
        """Called once, before anything else."""


@dataclass(frozen=True)
class Held:
    """A model in memory: the file or folder it came from, and the bytes it took on the device."""

    model: str
    memory: int


@runtime_checkable
class Holds(Protocol):
    """An engine that keeps a model in memory."""

    @property
    def held(self) -> Held | None:
        """What it holds now."""


@runtime_checkable
class Parts(Protocol):
    """An engine of which a gap may be computed in parts, with the same frames, bit for bit."""

    @property
    def together(self) -> int:
        """How many in-betweens of the last gap were computed at once: parts end at multiples of it. 1 for any."""


class Engine(Protocol):
    """An engine; it may also be one that `WarmsUp` and one that `Settles`.

    Instances live in a worker process and may keep models and compiled code between gaps.
    """

    @property
    def info(self) -> EngineInfo:
        """Name, version, profiles and settings."""

    def interpolate(
        self,
        gap: Gap,
        times: Sequence[float],
        profile: str,
        settings: Mapping[str, Scalar],
        progress: Progress,
    ) -> Iterator[Frame]:
        """Make the in-betweens at `times` (each 0 < t < 1, ascending), in that order, lazily.

        Raises:
            TweenbridgeError: with a code and a remedy, when the engine cannot.
            Cancelled: passed through from `progress`.
        """
