"""What `blender --command extension …` does, in a Blender that is a Python module: its own code, its own arguments.

Run by that Blender's Python, it takes the place of the program, which is not to be had from the package index.
"""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Do what the program would; returns the exit status."""
    import bpy

    words = sys.argv[1:]
    if words == ["--version"]:
        print(f"Blender {bpy.app.version_string}")
        return 0
    if words[:2] != ["--command", "extension"]:
        print(f"not understood: {words}", file=sys.stderr)
        return 2
    from bl_pkg.bl_extension_cli import cli_extension_handler

    status: int = cli_extension_handler(words[2:])
    return status


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # Without Blender's own tidying up, which crashes or hangs in some versions of the module.
    os._exit(code)
