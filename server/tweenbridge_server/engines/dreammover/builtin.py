"""The model that comes with Tweenbridge: `nano`, for simple artwork; shows what the engine does, without a download."""

from __future__ import annotations

from pathlib import Path
from typing import Final

NANO: Final = Path(__file__).resolve().parent / "nano"
"""A diffusers folder, with the licences of what it was trained on."""
