"""Folders and files that are no model, or a damaged one, say what they are."""

from __future__ import annotations

import json
import os
import shutil
import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some
from model_files import LORA, SD1, UNET, VAE, make_folder, refusal
from tiny_models import make_weights
from tweenbridge_server.engines.dreammover.identity import find, identity
from tweenbridge_server.engines.dreammover.recognise import Contents, contents, read_header

SDXL = {
    UNET + "input_blocks.0.0.weight": (8, 4, 3, 3),
    UNET + "label_emb.0.0.weight": (8, 8),
    "conditioner.embedders.0.transformer.text_model.encoder.layers.0.mlp.fc1.weight": (8, 8),
    "first_stage_model.decoder.conv_in.weight": (8, 4, 3, 3),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "stable-model")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return make_weights(tmp_path / "model.safetensors", SD1)


class TestFolders:
    """Folders that are no model."""

    @pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "tokenizer", "scheduler"])
    def test_a_part_is_missing(self, part: str, folder: Path) -> None:
        shutil.rmtree(folder / part)
        error = refusal(model=str(folder))
        assert f"lacks {part}" in str(error)
        assert str(folder) in error.remedy

    @pytest.mark.parametrize(
        "name",
        [
            "unet/config.json",
            "tokenizer/vocab.json",
            "tokenizer/merges.txt",
            "scheduler/scheduler_config.json",
            "text_encoder/model.safetensors",
            "unet/diffusion_pytorch_model.safetensors",
        ],
    )
    def test_a_file_is_missing(self, name: str, folder: Path) -> None:
        (folder / name).unlink()
        assert f"lacks {name}" in str(refusal(model=str(folder))).replace("the weights ", "")

    def test_the_vae_may_be_missing_where_another_is_given(self, folder: Path, tmp_path: Path) -> None:
        shutil.rmtree(folder / "vae")
        vae = make_weights(tmp_path / "vae.safetensors", VAE)
        assert find({"model": str(folder), "vae": str(vae)}).vae == vae

    def test_only_pickled_weights(self, folder: Path) -> None:
        weights = folder / "unet/diffusion_pytorch_model.safetensors"
        weights.rename(weights.with_suffix(".bin"))
        error = refusal(model=str(folder))
        assert "only pickled weights" in str(error)
        assert ".safetensors" in error.remedy

    def test_half_precision_variants(self, tmp_path: Path) -> None:
        model = make_folder(tmp_path / "half", ending=".fp16.safetensors")
        before = identity(find({"model": str(model)}))
        make_weights(model / "unet/diffusion_pytorch_model.safetensors", {"weight": (3,)})
        assert identity(find({"model": str(model)})) != before

    def test_shards(self, folder: Path) -> None:
        unet = folder / "unet"
        (unet / "diffusion_pytorch_model.safetensors").unlink()
        names = [f"diffusion_pytorch_model-0000{number}-of-00002.safetensors" for number in (1, 2)]
        table = {"weight_map": {"first": names[0], "second": names[1]}}
        (unet / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(table))
        make_weights(unet / names[0], {"first": (2,)})
        assert names[1] in str(refusal(model=str(folder)))
        make_weights(unet / names[1], {"second": (2,)})
        before = identity(find({"model": str(folder)}))
        make_weights(unet / names[1], {"second": (3,)})
        assert identity(find({"model": str(folder)})) != before

    @pytest.mark.parametrize("name", ["../../../secret.safetensors", "/etc/passwd", "x.bin"])
    def test_shards_lie_beside_their_index(self, name: str, folder: Path) -> None:
        (folder / "unet/diffusion_pytorch_model.safetensors").unlink()
        index = folder / "unet/diffusion_pytorch_model.safetensors.index.json"
        index.write_text(json.dumps({"weight_map": {"a": name}}))
        assert "no .safetensors files beside it" in str(refusal(model=str(folder)))

    @pytest.mark.parametrize(
        ("class_name", "what"),
        [
            ("StableDiffusionXLPipeline", "Stable Diffusion XL"),
            ("StableDiffusion3Pipeline", "Stable Diffusion 3"),
            ("FluxPipeline", "Flux"),
            ("StableDiffusionInpaintPipeline", "inpainting"),
            ("StableDiffusionUpscalePipeline", "another purpose"),
            ("StableDiffusionControlNetPipeline", "ControlNet"),
        ],
    )
    def test_other_pipelines(self, class_name: str, what: str, tmp_path: Path) -> None:
        error = refusal(model=str(make_folder(tmp_path / "other", class_name)))
        assert what in str(error)
        assert "1.x or 2.x" in error.remedy

    def test_pipelines_made_of_the_same_parts(self, tmp_path: Path) -> None:
        assert find({"model": str(make_folder(tmp_path / "other", "LatentConsistencyModelPipeline"))})

    @pytest.mark.parametrize(
        ("config", "what"),
        [
            ({"in_channels": 9}, "inpainting"),
            ({"in_channels": 8}, "another"),
            ({"addition_embed_type": "text_time"}, "XL"),
        ],
    )
    def test_other_unets(self, config: dict[str, object], what: str, folder: Path) -> None:
        (folder / "unet/config.json").write_text(json.dumps(config))
        assert what in str(refusal(model=str(folder)))

    @pytest.mark.parametrize("text", ["", "{", "[]", "\udc80", "[" * 100_000])
    @pytest.mark.parametrize("name", ["model_index.json", "unet/config.json"])
    def test_damaged_descriptions(self, name: str, text: str, folder: Path) -> None:
        (folder / name).write_text(text, "utf-8", "surrogateescape")
        assert "damaged" in str(refusal(model=str(folder)))

    def test_something_else(self, folder: Path, tmp_path: Path) -> None:
        assert "a VAE" in str(refusal(model=str(folder / "vae")))
        lora = tmp_path / "lora"
        lora.mkdir()
        assert "model_index.json" in str(refusal(model=str(lora)))
        make_weights(lora / "pytorch_lora_weights.safetensors", LORA)
        assert "is a LoRA" in str(refusal(model=str(lora)))
        collection = tmp_path / "collection"
        collection.mkdir()
        make_weights(collection / "toon.safetensors", SD1)
        assert str(collection / "toon.safetensors") in refusal(model=str(collection)).remedy

    def test_a_vae_that_is_none(self, folder: Path) -> None:
        assert "a VAE" in str(refusal(model=str(folder), vae=str(folder / "unet")))
        assert find({"model": str(folder), "vae": str(folder)}).vae == folder / "vae"

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything")
    def test_a_folder_that_must_not_be_read(self, folder: Path) -> None:
        (folder / "unet").chmod(0)
        try:
            assert "cannot be read" in str(refusal(model=str(folder)))
        finally:
            (folder / "unet").chmod(0o700)

    def test_an_error_of_the_disk(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(path: Path) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "iterdir", fail)
        assert "cannot be read: Permission denied" in str(refusal(model=str(folder)))


class TestFiles:
    """Files that are no checkpoint."""

    @pytest.mark.parametrize(
        ("shapes", "kind"),
        [
            (SD1, Contents.CHECKPOINT),
            (VAE, Contents.VAE),
            ({f"first_stage_model.{name}": shape for name, shape in VAE.items()}, Contents.VAE),
            (LORA, Contents.LORA),
            ({"unet.mid_block.attentions.0.proj_in.lora_A.weight": (2, 8)}, Contents.LORA),
            ({"text_encoder.text_model.encoder.layers.0.q_proj.lora_linear_layer.down.weight": (2, 8)}, Contents.LORA),
            ({"lora_unet_mid_block_proj_in.hada_w1_a": (2, 8)}, Contents.LYCORIS),
            ({**LORA, "lora_unet_x.dora_scale": (8, 1)}, Contents.LYCORIS),
            ({"control_model.input_blocks.0.0.weight": (8, 4, 3, 3)}, Contents.CONTROLNET),
            ({"controlnet_cond_embedding.conv_in.weight": (8, 3, 3, 3)}, Contents.CONTROLNET),
            (SDXL, Contents.SDXL),
            ({UNET + "joint_blocks.0.x_block.attn.qkv.weight": (8, 8)}, Contents.SD3),
            ({"double_blocks.0.img_attn.qkv.weight": (8, 8)}, Contents.FLUX),
            ({**SD1, UNET + "input_blocks.0.0.weight": (8, 9, 3, 3)}, Contents.INPAINTING),
            ({**SD1, UNET + "input_blocks.0.0.weight": (8, 5, 3, 3)}, Contents.SPECIAL),
            ({"down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight": (8, 8)}, Contents.UNET),
            ({"text_model.encoder.layers.0.mlp.fc1.weight": (8, 8)}, Contents.TEXT_ENCODER),
            ({"emb_params": (4, 768)}, Contents.EMBEDDING),
            ({"down_blocks.0.motion_modules.0.temporal_transformer.norm.weight": (8,)}, Contents.MOTION),
            ({"model.layers.0.self_attn.q_proj.weight": (8, 8), "lm_head.weight": (8, 8), "x": (1,)}, Contents.UNKNOWN),
        ],
    )
    def test_files_are_told_apart(self, shapes: dict[str, tuple[int, ...]], kind: Contents, tmp_path: Path) -> None:
        path = make_weights(tmp_path / "weights.safetensors", shapes)
        assert contents(read_header(path)) is kind
        if kind is not Contents.CHECKPOINT:
            error = refusal(model=str(path))
            assert str(error) == f"'weights.safetensors' is {kind.value}, not a Stable Diffusion 1.x or 2.x model."

    def test_the_remedy_says_where_a_lora_or_vae_belongs(self, checkpoint: Path, tmp_path: Path) -> None:
        lora = make_weights(tmp_path / "lora.safetensors", LORA)
        vae = make_weights(tmp_path / "vae.safetensors", VAE)
        assert "as the LoRA" in refusal(model=str(lora)).remedy
        assert "as the VAE" in refusal(model=str(vae)).remedy
        assert "is a LoRA, not a VAE" in str(refusal(model=str(checkpoint), vae=str(lora)))
        assert "is a VAE, not a LoRA" in str(refusal(model=str(checkpoint), lora=str(vae)))

    @pytest.mark.parametrize("ending", [".ckpt", ".pt", ".bin", ".CKPT"])
    def test_pickles_are_not_opened(self, ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / f"model{ending}"
        path.write_bytes(b"\x80\x02}q\x00.")

        def fail(*arguments: object, **more: object) -> None:
            raise AssertionError("opened")

        monkeypatch.setattr(Path, "open", fail)
        error = refusal(model=str(path))
        assert "pickle file" in str(error)
        assert ".safetensors" in error.remedy

    def test_other_files(self, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("hello")
        assert "not a .safetensors file" in str(refusal(model=str(tmp_path / "notes.txt")))

    def test_parts_missing_in_a_checkpoint(self, tmp_path: Path) -> None:
        bare = {name: shape for name, shape in SD1.items() if not name.startswith("first_stage_model.")}
        path = make_weights(tmp_path / "bare.safetensors", bare)
        error = refusal(model=str(path))
        assert "'bare.safetensors' lacks a VAE" in str(error)
        assert find({"model": str(path), "vae": str(make_weights(tmp_path / "vae.safetensors", VAE))})
        mute = {name: shape for name, shape in SD1.items() if not name.startswith("cond_stage_model.")}
        assert "lacks a text encoder" in str(refusal(model=str(make_weights(path, mute))))

    def test_a_file_cut_short(self, checkpoint: Path) -> None:
        whole = checkpoint.read_bytes()
        for length in (len(whole) - 1, 200, 9):
            checkpoint.write_bytes(whole[:length])
            assert "cut short" in str(refusal(model=str(checkpoint)))
        checkpoint.write_bytes(whole[:5])
        assert "damaged" in str(refusal(model=str(checkpoint)))
        checkpoint.write_bytes(b"")
        assert "is empty" in str(refusal(model=str(checkpoint)))

    def test_a_part_of_a_folder_cut_short(self, folder: Path) -> None:
        weights = folder / "vae/diffusion_pytorch_model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-1])
        assert "cut short" in str(refusal(model=str(folder)))

    @pytest.mark.parametrize(
        "start",
        [
            struct.pack("<Q", 2**63),
            struct.pack("<Q", 10**9) + b"{}",
            struct.pack("<Q", 2) + b"[]",
            struct.pack("<Q", 4) + b"{x:1",
            struct.pack("<Q", 9) + b'{"a":"b"}',
            struct.pack("<Q", 8) + b'{"a":{}}',
            struct.pack("<Q", 18) + b'{"a":{"shape":"x"}',
            struct.pack("<Q", 26) + b'{"a":{"shape":[Infinity]}}',
            b"<!DOCTYPE html><html>Sign in to download</html>",
        ],
    )
    def test_damaged_headers(self, start: bytes, tmp_path: Path) -> None:
        path = tmp_path / "model.safetensors"
        path.write_bytes(start)
        assert "damaged" in str(refusal(model=str(path)))

    @given(some.binary(max_size=200))
    def test_any_bytes_end_in_a_sentence(self, data: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "any.safetensors"
            path.write_bytes(struct.pack("<Q", len(data)) + data)
            refusal(model=str(path))

    def test_a_folder_called_like_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "odd.safetensors").mkdir()
        assert "model_index.json" in str(refusal(model=str(tmp_path / "odd.safetensors")))
