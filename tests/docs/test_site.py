"""The documents as a site: it builds without a warning, and every link of every page leads somewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from pages import ROOT


class _Page(HTMLParser):
    """What a page of the site links to, and the names that can be linked to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.names: set[str] = set()
        self.outside: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.names |= {str(values[key]) for key in ("id", "name") if values.get(key)}
        for key in ("href", "src"):
            target = values.get(key)
            if target and tag in ("link", "script", "img", "source") and target.startswith(("http", "//")):
                self.outside.append(target)
            if target and not target.startswith(("http", "mailto:", "data:", "//")):
                self.links.append(target)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    result = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


def test_every_link_leads_somewhere(site: Path) -> None:
    pages = {path: _Page(path) for path in site.rglob("*.html")}
    assert len(pages) > 15
    dead = []
    for path, page in pages.items():
        for link in page.links:
            target, _, name = unquote(link).partition("#")
            place = (path.parent / target).resolve() if target else path
            if path.name == "404.html" and target.startswith("/"):
                place = site / target.lstrip("/")
            if place.is_dir():
                place = place / "index.html"
            if not place.is_file() or (name and place in pages and name not in pages[place].names):
                dead.append(f"{path.name}: {link}")
    assert dead == []


def test_reading_it_fetches_nothing_from_elsewhere(site: Path) -> None:
    assert {target for path in site.rglob("*.html") for target in _Page(path).outside} == set()


def test_pages_that_live_elsewhere_are_in_it(site: Path) -> None:
    assert "The Tweenbridge protocol, version 1" in (site / "protocol.html").read_text(encoding="utf-8")
    assert (site / "contributing.html").is_file()
    assert not list(site.rglob("*.py"))
