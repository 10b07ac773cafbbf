"""The files of the extension that need no Blender are one package here, as they are there: `tween_blender`."""

from __future__ import annotations

import sys
import types
from pathlib import Path

PACKAGE = "tween_blender"

if PACKAGE not in sys.modules:
    # Its own __init__.py is Blender's way in, and needs Blender.
    package = types.ModuleType(PACKAGE)
    package.__path__ = [str(Path(__file__).parents[4] / "plugins" / "blender")]
    sys.modules[PACKAGE] = package
