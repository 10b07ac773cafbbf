"""The model that is in memory: loaded when first needed, kept for the next gap, moved aside in parts if need be."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from ..base import Held, Workplace
from .attention import AttentionControl, Bank
from .builtin import NANO, NANO_TRAITS
from .compiling import compile_parts
from .devices import choose
from .identity import ModelSource, identity
from .memory import check_room, release_unused, weight_bytes
from .model import Model, load
from .settings import Traits
from .traits import traits_of

log = logging.getLogger(__name__)


@dataclass
class Resident:
    """A model in memory with what belongs to it.

    Attributes:
        taken: bytes of the device that loading it took.
        aside: parts that were moved to the processor's memory to make room.
    """

    source: ModelSource
    model: Model
    control: AttentionControl
    traits: Traits
    taken: int = 0
    aside: list[str] = field(default_factory=list)

    def give_way(self, bank: Bank) -> bool:
        """Move the next part that can be spared to the processor's memory. False when all of them are there.

        What waits longest goes first: the text encoder is done, the bank is read layer by layer, the VAE comes last.
        """
        if self.model.device.device.type == "cpu":
            return False
        parts: dict[str, Callable[[], object]] = {
            "text encoder": lambda: self.model.text_encoder.to("cpu"),
            "keys and values": lambda: bank.move(torch.device("cpu")),
            "VAE": lambda: self.model.vae.to("cpu"),
        }
        for name, move in parts.items():
            if name not in self.aside:
                log.info("Memory is short: the %s moves to the processor's.", name)
                move()
                self.aside.append(name)
                return True
        return False

    def gather(self) -> None:
        """Bring everything back to the device, for the next gap."""
        if "text encoder" in self.aside:
            self.model.text_encoder.to(self.model.device.device)
        if "VAE" in self.aside:
            self.model.vae.to(self.model.device.device)
        self.aside.clear()


class Residence:
    """Room for one model."""

    def __init__(self, place: Workplace) -> None:
        self._place = place
        self._resident: Resident | None = None

    @property
    def held(self) -> Held | None:
        """The model that is here."""
        here = self._resident
        return None if here is None else Held(str(here.source.model), here.taken)

    def has(self, source: ModelSource) -> bool:
        """Whether that model is here, unchanged on the disk since it came."""
        here = self._resident
        return here is not None and here.source == source and here.model.identity == identity(source)

    def get(self, source: ModelSource, progress: Callable[[float], None]) -> Resident:
        """The model, loaded if it is not here; another one goes.

        Args:
            progress: called with the fraction done; may raise.

        Raises:
            TweenbridgeError: MODEL_FAILED, OUT_OF_MEMORY, or BAD_REQUEST for a device that is not there.
        """
        if self._resident is None or not self.has(source):
            self._resident = None
            release_unused()
            device = choose(self._place.device)
            check_room(source, device)
            before = device.free()
            _be_repeatable()
            model = load(source, device, lambda fraction: progress(fraction * 0.7))
            traits = (
                NANO_TRAITS
                if source.model == NANO
                else traits_of(model, self._place.cache, lambda fraction: progress(0.7 + 0.3 * fraction))
            )
            # The self-check looks at the network as it is; only then is its attention taken over.
            self._resident = Resident(source, model, AttentionControl(model.unet), traits, weight_bytes(model))
            if self._place.compile_models:
                compile_parts(model)
            log.info("Model %s is loaded on %s (%s), %s.", source.model.name, device.name, device.dtype, traits)
            free = [round(count / 1e6) for count in (before, device.free(), self._resident.taken)]
            log.info("Memory of %s: %d MB were free before, %d MB after; its weights take %d MB.", device.name, *free)
        self._resident.gather()
        return self._resident


def _be_repeatable() -> None:
    """The same settings give the same frames: no algorithm is chosen by how fast it happened to be."""
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.use_deterministic_algorithms(True, warn_only=True)
