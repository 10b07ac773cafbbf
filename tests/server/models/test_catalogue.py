"""The catalogue: what Tweenbridge brings, what users add, and what is said of mistakes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tweenbridge.protocol.models import ModelOrigin, ModelRole
from tweenbridge_server.models import catalogue
from tweenbridge_server.models.catalogue import HubSource, UrlSource

GOOD = """
[[model]]
id = "mine"
[[model.source]]
url = "https://example.org/mine.safetensors"
"""


def load(home: Path, text: str) -> catalogue.Catalogue:
    (home / "models.toml").write_text(text, "utf-8")
    return catalogue.load(home)


def test_what_tweenbridge_brings_is_pinned_and_licensed(tmp_path: Path) -> None:
    known = catalogue.load(tmp_path)
    assert known.problems == ()
    assert {"stable-diffusion-1.5", "sd-vae-ft-mse", "stable-diffusion-2.1"} <= {entry.id for entry in known.entries}
    for entry in known.entries:
        assert entry.origin is ModelOrigin.CATALOGUE and entry.terms is not None and entry.memory and entry.notes
        if entry.built_in is not None:
            assert (entry.id, entry.built_in.is_dir()) == ("nano", True)
            continue
        for source in entry.sources:
            assert isinstance(source, HubSource) and len(source.revision) == 40
            assert set(entry.files) <= set(source.files), "what is known must be of files that are fetched"
            assert not any(name.endswith((".ckpt", ".bin", ".pt")) for name in source.files)
        assert any(known.sha256 and known.size for known in entry.files.values())


def test_users_add_their_own(tmp_path: Path) -> None:
    known = load(tmp_path, GOOD + '[model.file]\n"mine.safetensors" = { size = 5 }\n')
    mine = known.find("mine")
    assert mine is not None and known.problems == ()
    assert (mine.title, mine.engine, mine.role, mine.origin) == (
        "mine", "dreammover", ModelRole.MODEL, ModelOrigin.OWN,
    )  # fmt: skip
    assert mine.size == 5 and mine.sources == (
        UrlSource("https://example.org/mine.safetensors", ("mine.safetensors",)),
    )
    assert known.entries[0].id == "stable-diffusion-1.5"


def test_the_example_in_the_guide_is_without_mistakes(tmp_path: Path) -> None:
    guide = Path(__file__).resolve().parents[3] / "docs" / "models.md"
    (example,) = re.findall(r"```toml\n(.*?)```", guide.read_text("utf-8"), re.S)
    known = load(tmp_path, example.replace('"..."', f'"{"0" * 64}"'))
    assert known.problems == ()
    style = known.find("studio-style")
    assert style is not None and len(style.sources) == 2 and style.files


def test_a_folder_over_plain_http_lists_its_files(tmp_path: Path) -> None:
    known = load(tmp_path, GOOD.replace('mine.safetensors"', 'vae/"\nfiles = ["config.json", "a/b.safetensors"]'))
    mine = known.find("mine")
    assert mine is not None and isinstance(mine.sources[0], UrlSource)
    assert dict(mine.sources[0].addresses())["a/b.safetensors"] == "https://example.org/vae/a/b.safetensors"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('id = "mine"', 'id = "Mine!"'), "small letters"),
        (('id = "mine"', "id = 5"), "has a id that is not a text"),
        (('id = "mine"', 'id = "sd-vae-ft-mse"'), "another entry has already"),
        (('id = "mine"', 'id = "mine"\ncolour = "red"'), "key 'colour'"),
        (('id = "mine"', 'id = "mine"\nrole = "hat"'), "model, vae or lora"),
        (('id = "mine"', 'id = "mine"\nengine = "flow"'), "engine 'flow'"),
        (('id = "mine"', 'id = "mine"\nmemory = -1'), "memory that is not a number of bytes"),
        (('id = "mine"', 'id = "mine"\nlicence = "MIT"'), "licence that is not a table"),
        (("https://example.org", "ftp://example.org"), "must begin with https://"),
        (("mine.safetensors", "mine.ckpt"), "no .safetensors file"),
        (("[[model.source]]", "[[model.place]]"), "key 'place'"),
        (('url = "https://example.org/mine.safetensors"', 'hub = "one"\nfiles = ["*"]'), "not organisation/name"),
        (('url = "https://example.org/mine.safetensors"', 'hub = "a/b"\nfiles = ["../x"]'), "paths inside the model"),
        (('url = "https://example.org/mine.safetensors"', 'hub = "a/b"'), "without files"),
        (("[[model]]", "[model]"), "list of tables"),
        (('id = "mine"', "id = "), "no proper TOML"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_and_the_rest_is_used(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    text = GOOD.replace(*change)
    assert text != GOOD
    known = load(tmp_path, text)
    assert len(known.problems) >= 1 and any(says in problem for problem in known.problems), known.problems
    assert all("models.toml" in problem and "\n" not in problem.split(": ")[0] for problem in known.problems)
    assert known.find("mine") is None and known.find("stable-diffusion-1.5") is not None


def test_good_entries_beside_bad_ones_are_used(tmp_path: Path) -> None:
    known = load(tmp_path, GOOD + GOOD.replace("mine", "Bad One"))
    assert known.find("mine") is not None and len(known.problems) == 1


@given(st.text(alphabet="ab./\\:*\0 é", max_size=12))
def test_paths_that_count_as_inside_stay_inside(path: str) -> None:
    if catalogue.is_inside(path):
        base = Path("/somewhere/model")
        assert base in (base / path).parents and ".." not in path.split("/") and "\\" not in path
