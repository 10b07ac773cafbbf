"""The program that runs inside Blender: installs the built extension as a user would, then runs pytest.

    inside.py ZIP PYTEST-ARGUMENTS

It ends by `os._exit`: with the extension's operators registered, Blender 4.2 crashes and 4.5 hangs at exit.
"""

from __future__ import annotations

import os
import sys
import traceback

MODULE = "bl_ext.user_default.tweenbridge"


def _install(extension: str) -> None:
    import bpy

    # "Install from Disk" of the preferences, with its default choices.
    result = bpy.ops.extensions.package_install_files(
        filepath=extension, repo="user_default", enable_on_install=True, overwrite=True
    )
    if result != {"FINISHED"} or MODULE not in bpy.context.preferences.addons:
        raise RuntimeError(f"Blender did not install and enable {extension}: {result}")


def main() -> int:
    """Install, run the tests; returns the exit status."""
    extension, *arguments = sys.argv[1:]
    _install(extension)
    import pytest

    return int(pytest.main(arguments))


if __name__ == "__main__":
    status = 1
    try:
        status = main()
    except Exception:  # noqa: BLE001 - whatever it is, it is printed, and the process still has to be ended hard
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
