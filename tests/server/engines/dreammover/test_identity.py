"""Finding a model: by path or hub id; everything that is no model says what it is; changed files are noticed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from model_files import LORA, SD1, VAE, make_folder, refusal
from tiny_models import make_weights
from tweenbridge.protocol.errors import ErrorCode
from tweenbridge_server.engines.dreammover.identity import ModelKind, find, identity


@pytest.fixture(autouse=True)
def own_hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub cache of the test's own."""
    for name in ("HF_HOME", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "stable-model")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return make_weights(tmp_path / "model.safetensors", SD1)


def test_a_folder(folder: Path) -> None:
    source = find({"model": str(folder), "vae": "", "lora": "", "lora_weight": 1.0})
    assert source.model == folder
    assert source.kind is ModelKind.FOLDER
    assert source.vae is None
    assert source.lora is None


def test_a_checkpoint(checkpoint: Path, tmp_path: Path) -> None:
    vae = make_weights(tmp_path / "vae.safetensors", VAE)
    lora = make_weights(tmp_path / "lora.safetensors", LORA)
    source = find({"model": str(checkpoint), "vae": str(vae), "lora": str(lora), "lora_weight": 0.75})
    assert (source.model, source.vae, source.lora, source.lora_weight) == (checkpoint, vae, lora, 0.75)
    assert source.kind is ModelKind.SINGLE_FILE


def test_paths_may_come_with_quotes_and_a_tilde(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find({"model": f' "{folder}" '}).model == folder
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert find({"model": "~/stable-model"}).model == folder


def test_models_in_the_home_folder_go_by_their_names(tmp_path: Path) -> None:
    make_folder(tmp_path / "home/models/org/name")
    make_weights(tmp_path / "home/models/toon.safetensors", SD1)
    assert find({"model": "org/name"}, tmp_path / "home").model == tmp_path / "home/models/org/name"
    assert find({"model": "toon.safetensors"}, tmp_path / "home").kind is ModelKind.SINGLE_FILE


@pytest.mark.parametrize("name", ["", "  ", '""'])
def test_no_model_given(name: str) -> None:
    error = refusal(code=ErrorCode.MODEL_MISSING, model=name)
    assert "none was given" in str(error)
    assert "tweenbridge models get" in error.remedy


@pytest.mark.parametrize(
    "name",
    ["/nowhere/model", "model", "a/b/c", "C:\\models\\x", "x" * 5000, "a\0b", "../../x", "~nobody-at-all/x", "\n"],
)
def test_nothing_there(name: str) -> None:
    assert len(str(refusal(code=ErrorCode.MODEL_MISSING, model=f"{name} "))) < 400


def test_what_is_missing_is_named(folder: Path) -> None:
    assert "no VAE at" in str(refusal(code=ErrorCode.MODEL_MISSING, model=str(folder), vae="/nowhere/vae"))
    assert "no LoRA at" in str(refusal(code=ErrorCode.MODEL_MISSING, model=str(folder), lora="/nowhere/lora"))


class TestHub:
    """Hub ids are looked up in the local cache and never fetched."""

    def snapshot(self, cache: Path, commit: str, main: bool = False) -> Path:
        repository = cache / "models--org--toon.v2"
        if main:
            (repository / "refs").mkdir(parents=True, exist_ok=True)
            (repository / "refs/main").write_text(commit + "\n")
        return make_folder(repository / "snapshots" / commit)

    def test_not_downloaded(self) -> None:
        error = refusal(code=ErrorCode.MODEL_MISSING, model="org/toon.v2")
        assert "'org/toon.v2' has not been downloaded" in str(error)
        assert "hf download org/toon.v2" in error.remedy

    def test_main_is_preferred(self, own_hub_cache: Path) -> None:
        wanted = self.snapshot(own_hub_cache, "aaa", main=True)
        newer = self.snapshot(own_hub_cache, "bbb")
        os.utime(wanted, ns=(1, 1))
        assert find({"model": "org/toon.v2"}).model == wanted
        assert find({"model": "org/toon.v2@bbb"}).model == newer
        refusal(code=ErrorCode.MODEL_MISSING, model="org/toon.v2@ccc")

    def test_else_the_newest_that_is_whole(self, own_hub_cache: Path) -> None:
        broken, whole, old = (self.snapshot(own_hub_cache, commit, commit == "aaa") for commit in ("aaa", "bbb", "ccc"))
        shutil.rmtree(broken / "unet")
        os.utime(old, ns=(1, 1))
        assert find({"model": "org/toon.v2"}).model == whole

    def test_an_interrupted_download_says_what_is_missing(self, own_hub_cache: Path) -> None:
        shutil.rmtree(self.snapshot(own_hub_cache, "aaa", main=True) / "unet")
        assert "lacks unet" in str(refusal(model="org/toon.v2"))

    def test_the_caches_place(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("HF_HUB_CACHE")
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        assert find({"model": "org/toon.v2@aaa"} if self.snapshot(tmp_path / "hf/hub", "aaa") else {}).model.is_dir()
        monkeypatch.delenv("HF_HOME")
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("USERPROFILE", str(tmp_path))
        usual = self.snapshot(tmp_path / ".cache/huggingface/hub", "bbb", main=True)
        assert find({"model": "org/toon.v2"}).model == usual

    def test_a_cache_in_the_home_folder(self, tmp_path: Path) -> None:
        own = self.snapshot(tmp_path / "home/models", "aaa", main=True)
        assert find({"model": "org/toon.v2"}, tmp_path / "home").model == own


def changed(folder: Path, change: Callable[[], object]) -> bool:
    before = identity(find({"model": str(folder)}))
    change()
    return identity(find({"model": str(folder)})) != before


class TestIdentity:
    """The identity is of the files that count."""

    def test_it_stays(self, folder: Path) -> None:
        found = identity(find({"model": str(folder)}))
        assert int(found, 16)
        assert not changed(folder, lambda: (folder / "README.md").write_text("hello"))
        assert not changed(folder, lambda: (folder / "unet/diffusion_pytorch_model.bin").write_text("not used"))

    @pytest.mark.parametrize(
        "name",
        [
            "unet/diffusion_pytorch_model.safetensors",
            "text_encoder/config.json",
            "tokenizer/vocab.json",
            "model_index.json",
        ],
    )
    def test_a_touched_file_changes_it(self, name: str, folder: Path) -> None:
        assert changed(folder, lambda: os.utime(folder / name, ns=(1, 1)))

    def test_a_moved_folder_is_the_same_model(self, folder: Path) -> None:
        before = identity(find({"model": str(folder)}))
        assert identity(find({"model": str(folder.rename(folder.parent / "elsewhere"))})) == before

    def test_a_description_beside_a_checkpoint_counts(self, checkpoint: Path) -> None:
        assert changed(checkpoint, lambda: checkpoint.with_suffix(".yaml").write_text('parameterization: "v"'))

    def test_vae_lora_and_its_weight_count(self, checkpoint: Path, tmp_path: Path) -> None:
        vae = make_weights(tmp_path / "vae.safetensors", VAE)
        lora = make_weights(tmp_path / "lora.safetensors", LORA)
        model = {"model": str(checkpoint)}
        found = {
            identity(find(settings))
            for settings in (
                model,
                {**model, "vae": str(vae)},
                {**model, "lora": str(lora)},
                {**model, "lora": str(lora), "lora_weight": 0.5},
            )
        }
        assert len(found) == 4
        assert identity(find({**model, "lora_weight": 0.5})) == identity(find(model))


def test_the_gateway_loads_neither_torch_nor_numpy(folder: Path) -> None:
    program = (
        "import sys\n"
        "from tweenbridge_server.engines.dreammover.identity import find, identity\n"
        f"identity(find({{'model': {str(folder)!r}}}))\n"
        "print([name for name in ('torch', 'numpy', 'diffusers', 'safetensors') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
