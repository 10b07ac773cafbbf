"""A newer extension installed over an older one, as artists do: it brings its own client library along."""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

import bpy

OTHER = "ffffffffffff"
"""Stands for the digest of a changed client's sources in the name of its wheel."""


def _changed(archive: bytes, old: str, new: str) -> bytes:
    """A zip with one word for another in all names and texts, and in the wheels whose name has it."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as source, zipfile.ZipFile(result, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if not name.endswith(".whl"):
                data = data.replace(old.encode(), new.encode())
            elif old in name:
                data = _changed(data, old, new)
            target.writestr(name.replace(old, new), data)
    return result.getvalue()


def test_an_update_brings_its_own_client(tmp_path: Path) -> None:
    extensions = Path(bpy.utils.user_resource("EXTENSIONS"))
    published = Path(sys.argv[1])
    [before] = extensions.glob(".local/lib/python3*/site-packages/tweenbridge_client-*.dist-info")
    digest = before.name.removesuffix(".dist-info").partition("+")[2]
    update = tmp_path / "update.zip"
    update.write_bytes(_changed(published.read_bytes(), digest, OTHER))
    for extension, expected in ((update, OTHER), (published, digest)):
        result = bpy.ops.extensions.package_install_files(
            filepath=str(extension), repo="user_default", enable_on_install=True, overwrite=True
        )
        assert result == {"FINISHED"}
        [after] = extensions.glob(".local/lib/python3*/site-packages/tweenbridge_client-*.dist-info")
        assert after.name.endswith(f"+{expected}.dist-info")
        assert (after.parent / "tweenbridge" / "client.py").is_file()
