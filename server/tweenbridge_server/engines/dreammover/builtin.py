"""The model that comes with Tweenbridge: `nano`, for simple artwork; shows what the engine does, without a download.

How it was trained, and how good it is: docs/nano.md. Importable without torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from .settings import Traits

NANO: Final = Path(__file__).resolve().parent / "nano"
"""A diffusers folder, with the licences of what it was trained on."""

NANO_TRAITS: Final = Traits(feature_block=2, feature_label=261, neighbourhood=3, strength=0.4)
"""What the self-check (traits.py) finds of it, so that no user waits for that."""
