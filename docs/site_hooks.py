"""For mkdocs: pages that live elsewhere in the repository are part of the site, and links to them lead there."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
ELSEWHERE = {
    "protocol.md": "shared/tweenbridge/protocol/PROTOCOL.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
}
"""Pages of the site, and the files that they are."""
_PAGES = {source: page for page, source in ELSEWHERE.items()} | {"README.md": "index.md"}
_LINK = re.compile(r"(!?\[[^\]]*\])\(([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that live elsewhere."""
    for page, source in ELSEWHERE.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, config: Any, files: Files) -> str:
    """Point links at the site's pages; what is not on the site loses its link and keeps its words."""
    place = posixpath.dirname(ELSEWHERE.get(page.file.src_uri, f"docs/{page.file.src_uri}"))

    def pointed(match: re.Match[str]) -> str:
        words, target, anchor = match[1], match[2], match[3] or ""
        if "://" in target or target.startswith("mailto:"):
            return match[0]
        path = posixpath.normpath(posixpath.join(place, target))
        inside = path.removeprefix("docs/") if path.startswith("docs/") else _PAGES.get(path)
        if inside is None:
            return words.lstrip("!").strip("[]")
        here = posixpath.dirname(page.file.src_uri)
        return f"{words}({posixpath.relpath(inside, here or '.')}{anchor})"

    return _LINK.sub(pointed, markdown)
