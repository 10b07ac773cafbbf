"""Models that are here: imported, verified, repaired, removed, found, preferred."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from fake_hub import COMMIT, git_hash
from model_bytes import CHECKPOINT, LORA, VAE, XL, model, weights, write
from model_shop import ENTRY, PLAIN, REPOSITORY, Shop
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import WorkerInfo
from tweenbridge.protocol.models import (
    ImportModel,
    ModelAction,
    ModelInfo,
    ModelOrigin,
    ModelRole,
    ModelState,
)
from tweenbridge_server.engines.dreammover.resolve import resolve
from tweenbridge_server.models import present
from tweenbridge_server.models.register import read, register_file

UNET = "unet/diffusion_pytorch_model.fp16.safetensors"
SETTINGS = {"model": "", "vae": "", "lora": "", "lora_weight": 1.0}


def bring(shop: Shop, path: Path, title: str = "") -> ModelInfo:
    return shop.service.import_model(ImportModel(str(path), title))


def hub_cache(folder: Path, files: dict[str, bytes]) -> Path:
    """A repository in the layout of the hub's cache: links to what is named by its hash."""
    import hashlib

    repository = folder / ("models--" + REPOSITORY.replace("/", "--"))
    for path, content in files.items():
        large = path.endswith(".safetensors")
        blob = repository / "blobs" / (hashlib.sha256(content).hexdigest() if large else git_hash(content))
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(content)
        link = repository / "snapshots" / COMMIT / path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text(COMMIT)
    return repository


# ---------------------------------------------------------------- imports


@pytest.mark.parametrize(
    ("name", "content", "role"),
    [
        ("Toon Style v2.safetensors", CHECKPOINT, ModelRole.MODEL),
        ("smooth.safetensors", VAE, ModelRole.VAE),
        ("hat.safetensors", LORA, ModelRole.LORA),
    ],
)
def test_a_file_is_used_where_it_lies(
    shop: Shop, tmp_path: Path, name: str, content: tuple[str, ...], role: ModelRole
) -> None:
    path = tmp_path / "mine" / name
    write(path.parent, {name: weights(content)})
    info = bring(shop, path)
    assert (info.state, info.role, info.origin) == (ModelState.READY, role, ModelOrigin.OWN)
    assert (info.location, info.reference, info.size) == (str(path), True, path.stat().st_size)
    assert present.place_of(info.model, shop.home) == path
    assert bring(shop, path).model == info.model, "the same again is the same"
    shop.restart()
    assert shop.info(info.model).state is ModelState.READY
    shop.do(ModelAction.REMOVE, info.model)
    assert path.exists()
    assert present.place_of(info.model, shop.home) is None
    assert sorted(os.listdir(path.parent)) == [name]


def test_folders_are_recognised_as_what_they_are(shop: Shop, tmp_path: Path) -> None:
    whole = write(tmp_path / "whole", model())
    assert bring(shop, whole, "Whole One").model == "whole-one"
    vae = write(tmp_path / "vae", {"config.json": b'{"_class_name": "AutoencoderKL"}',
                                   "diffusion_pytorch_model.safetensors": weights(VAE)})  # fmt: skip
    assert bring(shop, vae).role is ModelRole.VAE
    assert bring(shop, write(tmp_path / "lora", {"pytorch_lora_weights.safetensors": weights(LORA)})).role is (
        ModelRole.LORA
    )
    cached = hub_cache(tmp_path / "cache", model())
    info = bring(shop, cached)
    assert info.title == "toon" and info.location == str(cached / "snapshots" / COMMIT)


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (None, ErrorCode.MODEL_MISSING, "nothing at"),
        (weights(XL), ErrorCode.MODEL_FAILED, "Stable Diffusion XL"),
        (weights(CHECKPOINT)[:-100], ErrorCode.MODEL_FAILED, "cut short"),
        (b"", ErrorCode.MODEL_FAILED, "empty"),
        (b"no such thing", ErrorCode.MODEL_FAILED, "not a safetensors file"),
    ],
)
def test_what_is_no_model_is_refused(
    shop: Shop, tmp_path: Path, content: bytes | None, code: ErrorCode, says: str
) -> None:
    path = tmp_path / "thing.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TweenbridgeError, match=says) as caught:
        bring(shop, path)
    assert caught.value.code is code and caught.value.remedy
    assert read(shop.home).holdings == {}


def test_a_folder_that_lacks_a_part_is_refused_by_name(shop: Shop, tmp_path: Path) -> None:
    files = model()
    del files[UNET]
    with pytest.raises(TweenbridgeError, match="lacks the weights unet"):
        bring(shop, write(tmp_path / "part", files))


def test_an_imported_file_that_goes_is_damaged_until_it_is_back(shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "away.safetensors"
    path.write_bytes(weights(CHECKPOINT))
    id = bring(shop, path).model
    path.rename(tmp_path / "elsewhere")
    gone = shop.info(id)
    assert (
        gone.state is ModelState.DAMAGED and gone.error is not None and "no longer at its place" in gone.error.message
    )
    with pytest.raises(TweenbridgeError, match="of your own"):
        shop.do(ModelAction.GET, id)
    with pytest.raises(TweenbridgeError, match="cannot be repaired"):
        shop.do(ModelAction.REPAIR, id)
    (tmp_path / "elsewhere").rename(path)
    assert shop.info(id).state is ModelState.READY


def test_a_file_that_was_trained_on_is_imported_anew(shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "style.safetensors"
    path.write_bytes(weights(CHECKPOINT, 4096))
    id = bring(shop, path, "My Style").model
    path.write_bytes(weights(CHECKPOINT, 8192))
    assert shop.info(id).state is ModelState.DAMAGED
    again = bring(shop, path)
    assert (again.model, again.title, again.state) == (id, "My Style", ModelState.READY)


def test_other_programs_folders_are_looked_through(shop: Shop, tmp_path: Path) -> None:
    comfy = tmp_path / "ComfyUI" / "models"
    write(comfy, {
        "checkpoints/toon.safetensors": weights(CHECKPOINT), "checkpoints/xl.safetensors": weights(XL),
        "vae/smooth.safetensors": weights(VAE), "loras/hats/red.safetensors": weights(LORA), "notes.txt": b"",
    })  # fmt: skip
    write(comfy / "diffusers" / "whole", model())
    imported = bring(shop, comfy / "vae" / "smooth.safetensors").model
    answer = shop.service.scan(str(comfy))
    assert answer.whole
    found = {Path(one.path).name: one for one in answer.found}
    assert set(found) == {"toon.safetensors", "xl.safetensors", "smooth.safetensors", "red.safetensors", "whole"}
    assert "Stable Diffusion XL" in found["xl.safetensors"].problem
    assert [found[name].role for name in ("toon.safetensors", "red.safetensors", "whole")] == [
        ModelRole.MODEL, ModelRole.LORA, ModelRole.MODEL,
    ]  # fmt: skip
    assert found["smooth.safetensors"].model == imported and found["toon.safetensors"].model == ""
    with pytest.raises(TweenbridgeError, match="no folder"):
        shop.service.scan(str(tmp_path / "nowhere"))


# ---------------------------------------------------------------- verify, repair, remove


def test_verify_finds_a_flipped_bit_and_repair_fetches_that_file_only(shop: Shop) -> None:
    info = shop.get()
    shop.do(ModelAction.PREFER)
    shop.do(ModelAction.VERIFY)
    assert shop.settled().state is ModelState.READY
    file = Path(info.location) / UNET
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert shop.info().state is ModelState.READY, "nothing shows at a glance"
    shop.do(ModelAction.VERIFY)
    bad = shop.settled()
    assert bad.state is ModelState.DAMAGED and bad.error is not None and UNET in bad.error.message
    shop.restart()
    assert shop.info().state is ModelState.DAMAGED, "it is remembered"
    assert shop.info().default is False, "what is damaged is not taken"
    shop.hub.served.clear()
    shop.do(ModelAction.REPAIR)
    whole = shop.settled()
    assert whole.state is ModelState.READY and whole.location == info.location and whole.default
    assert set(shop.hub.served) == {UNET}
    assert file.read_bytes() == model()[UNET]


def test_a_file_without_a_known_hash_is_repaired_by_what_it_was(shop: Shop) -> None:
    shop.catalogue(PLAIN)
    shop.hub.plain["paint.safetensors"] = content = weights(CHECKPOINT)
    place = Path(shop.get("paint").location)
    place.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    shop.do(ModelAction.REPAIR, "paint")
    assert shop.settled("paint").state is ModelState.READY and place.read_bytes() == content
    shop.hub.served.clear()
    shop.do(ModelAction.REPAIR, "paint")
    assert shop.settled("paint").state is ModelState.READY and shop.hub.served == {}


def test_a_missing_file_shows_at_a_glance_and_is_repaired(shop: Shop) -> None:
    info = shop.get()
    (Path(info.location) / "unet/config.json").unlink()
    bad = shop.info()
    assert bad.state is ModelState.DAMAGED and bad.error is not None and "unet/config.json" in bad.error.message
    shop.do(ModelAction.GET)
    assert shop.settled().state is ModelState.READY
    assert shop.hub.served["unet/config.json"] == 2 * len(model()["unet/config.json"])


def test_remove_deletes_what_was_downloaded(shop: Shop) -> None:
    place = Path(shop.get().location)
    shop.do(ModelAction.PREFER)
    removed = shop.do(ModelAction.REMOVE)
    assert removed.state is ModelState.ABSENT and not place.exists()
    assert shop.unloads, "a worker may hold its files"
    assert read(shop.home).holdings == {} and read(shop.home).preferred == {}
    assert shop.do(ModelAction.REMOVE).state is ModelState.ABSENT, "again is harmless"


def test_what_cannot_be_deleted_stays_whole_and_says_so(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Path(shop.get().location)

    def held_open(source: object, target: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr("tweenbridge_server.models.files.os.replace", held_open)
        with pytest.raises(TweenbridgeError, match="cannot be deleted: Permission denied") as caught:
            shop.do(ModelAction.REMOVE)
    assert "Wait until no job" in caught.value.remedy
    assert shop.info().state is ModelState.READY
    shop.close()
    (place.parent / ".removed-old").mkdir()
    assert shop.info().state is ModelState.READY
    assert not (place.parent / ".removed-old").exists(), "what was left over goes at the next start"


def test_verify_of_an_import_compares_with_what_it_was_first(shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    path.write_bytes(weights(CHECKPOINT, seed=1))
    id = bring(shop, path).model
    shop.do(ModelAction.VERIFY, id)
    assert shop.settled(id).state is ModelState.READY
    path.write_bytes(weights(CHECKPOINT, seed=2))
    shop.do(ModelAction.VERIFY, id)
    bad = shop.settled(id)
    assert bad.state is ModelState.DAMAGED and bad.error is not None and str(path) in bad.error.remedy


@pytest.mark.skipif(os.name == "nt", reason="links need a right on Windows")
def test_a_model_in_the_hubs_cache_is_here_and_is_verified_by_the_hubs_names(shop: Shop, tmp_path: Path) -> None:
    repository = hub_cache(tmp_path / "hf" / "hub", model())
    info = shop.info()
    assert (info.state, info.reference, info.default) == (ModelState.READY, True, True)
    assert info.location == str(repository / "snapshots" / COMMIT)
    assert shop.get().state is ModelState.READY and shop.hub.asked == [], "no second copy"
    shop.do(ModelAction.VERIFY)
    assert shop.settled().error is None
    blob = (Path(info.location) / "unet/config.json").resolve()
    blob.write_bytes(b'{"in_channels": 5}')
    shop.do(ModelAction.VERIFY)
    assert shop.settled().state is ModelState.DAMAGED
    with pytest.raises(TweenbridgeError, match="which other programs use"):
        shop.do(ModelAction.REMOVE)
    assert blob.exists()


def test_what_lies_in_the_folder_for_models_is_listed_and_left_alone(shop: Shop) -> None:
    path = shop.home / "models" / "Dropped Here.safetensors"
    write(path.parent, {path.name: weights(CHECKPOINT), "unknown.safetensors": b"?"})
    info = shop.info("dropped-here")
    assert info.state is ModelState.READY and info.location == str(path)
    with pytest.raises(TweenbridgeError, match="by hand"):
        shop.do(ModelAction.REMOVE, "dropped-here")
    assert path.exists()


# ---------------------------------------------------------------- the default, use, and the register


def test_the_only_model_is_taken_and_that_is_said(shop: Shop, tmp_path: Path) -> None:
    info = shop.get()
    resolved = resolve("standard", SETTINGS, shop.home)
    assert resolved.settings["model"] == info.location
    assert [note.message for note in resolved.notes] == ["No model was named; Toon is taken."]
    assert shop.info().default
    path = tmp_path / "other.safetensors"
    path.write_bytes(weights(CHECKPOINT))
    other = bring(shop, path).model
    with pytest.raises(TweenbridgeError, match="there are several: toon, other"):
        resolve("standard", SETTINGS, shop.home)
    assert shop.do(ModelAction.PREFER, other).default
    assert resolve("standard", SETTINGS, shop.home).settings["model"] == str(path)
    assert resolve("standard", {**SETTINGS, "model": "toon"}, shop.home).notes == ()


def test_what_comes_with_tweenbridge_is_taken_where_there_is_no_other(shop: Shop) -> None:
    resolved = resolve("standard", SETTINGS, shop.home)
    nano = shop.info("nano")
    assert resolved.settings["model"] == nano.location
    assert [note.code for note in resolved.notes] == ["demonstration_model"]
    assert nano.default and nano.state is ModelState.READY
    got = shop.get()
    assert resolve("standard", SETTINGS, shop.home).settings["model"] == got.location
    assert not shop.info("nano").default
    named = resolve("standard", {**SETTINGS, "model": "nano"}, shop.home)
    assert (named.settings["model"], [note.code for note in named.notes]) == (nano.location, ["demonstration_model"])


def test_what_comes_with_tweenbridge_stays(shop: Shop) -> None:
    with pytest.raises(TweenbridgeError, match="comes with Tweenbridge and stays"):
        shop.do(ModelAction.REMOVE, "nano")
    shop.do(ModelAction.GET, "nano")
    shop.do(ModelAction.VERIFY, "nano")
    assert shop.settled("nano").state is ModelState.READY
    assert Path(shop.info("nano").location).is_dir()


def test_users_cannot_claim_to_come_with_tweenbridge(shop: Shop) -> None:
    (shop.home / "models.toml").write_text('[[model]]\nid = "mine"\n[[model.source]]\npackage = "jobs"\n')
    assert "neither hub nor url" in shop.service.models(0).notes[0]


def test_a_vae_cannot_be_the_default(shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "smooth.safetensors"
    path.write_bytes(weights(VAE))
    with pytest.raises(TweenbridgeError, match="no whole model"):
        shop.do(ModelAction.PREFER, bring(shop, path).model)


def test_use_and_residence_are_shown(shop: Shop) -> None:
    info = shop.get()
    assert info.used is None and not info.loaded
    shop.workers = (WorkerInfo("cpu", 1, "idle", model=info.location, model_memory=5),)
    shop.service.note_use({info.location, "unrelated"})
    seen = shop.wait(lambda info: info.used is not None)
    assert seen.loaded
    shop.restart()
    assert shop.info().used == seen.used


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"holdings": 5}', b"\xff"])
def test_a_damaged_register_is_kept_aside(shop: Shop, content: bytes) -> None:
    shop.get()
    shop.close()
    register_file(shop.home).write_bytes(content)
    # What was downloaded is found where it lies.
    assert shop.info().state is ModelState.READY
    shop.do(ModelAction.PREFER)
    assert (shop.home / "models.damaged.json").read_bytes() == content


def test_unknown_models_are_refused(shop: Shop) -> None:
    for action in ModelAction:
        with pytest.raises(TweenbridgeError, match="no model 'nobody'"):
            shop.do(action, "nobody")


def test_a_mistake_in_the_users_list_is_told_with_the_models(shop: Shop) -> None:
    shop.catalogue(ENTRY + PLAIN.replace('id = "paint"', 'id = "Paint!"'))
    answer = shop.service.models(0)
    assert len(answer.notes) == 1 and "Paint!" in answer.notes[0]
    assert "toon" in [info.model for info in answer.models]


def test_a_name_that_is_taken_in_the_folder_is_not_overwritten(shop: Shop) -> None:
    theirs = write(shop.home / "models" / "toon", {"notes.txt": b"mine"})
    info = shop.get()
    assert info.state is ModelState.READY and Path(info.location).name == "toon-2"
    assert (theirs / "notes.txt").read_bytes() == b"mine"
    shutil.rmtree(theirs)
    assert shop.info().state is ModelState.READY
