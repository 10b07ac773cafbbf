"""Loading: folders and single files of both layouts give the same networks; what does not fit says so in a sentence."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from loaded_models import assert_same, loaded, outputs, refusal
from safetensors.torch import load_file, save_file
from tiny_models import make_file, make_kohya_lora, tensors_of
from torch import Tensor
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge_server.engines.base import Cancelled
from tweenbridge_server.engines.dreammover import model as loading
from tweenbridge_server.engines.dreammover.devices import choose
from tweenbridge_server.engines.dreammover.half_vae import stays_in_range
from tweenbridge_server.engines.dreammover.identity import find
from tweenbridge_server.engines.dreammover.model import Prediction, cumulative_alphas, embed, load
from tweenbridge_server.engines.dreammover.single_file import unet_config, vae_config

SHARED = Path(__file__).resolve().parents[5] / "shared"


@pytest.mark.parametrize("layout", ["1.x", "2.x"])
def test_a_single_file_is_the_same_model_as_its_folder(
    layout: str, model_folders: dict[str, Path], tmp_path: Path
) -> None:
    second = layout == "2.x"
    whole = loaded(model=str(model_folders[layout]))
    single = loaded(model=str(make_file(model_folders[layout], tmp_path / "model.safetensors", second)))
    assert_same(single, whole)
    assert single.prediction is whole.prediction is (Prediction.VELOCITY if second else Prediction.EPSILON)
    assert single.training_side == whole.training_side == 256
    assert single.latent_scale == whole.latent_scale == 0.18215
    assert torch.equal(single.alphas, whole.alphas)
    assert single.identity != whole.identity


def test_models_are_ready_for_use(model_folders: dict[str, Path]) -> None:
    model = loaded(model=str(model_folders["1.x"]))
    for part in (model.unet, model.vae, model.text_encoder):
        assert not part.training
        assert not any(weight.requires_grad for weight in part.parameters())
    assert model.alphas.shape == (1000,)
    assert model.alphas.dtype == torch.float64
    assert 0 < model.alphas[-1] < model.alphas[0] < 1


def test_a_file_in_half_precision_loads(model_folders: dict[str, Path], tmp_path: Path) -> None:
    halves = {name: tensor.half() for name, tensor in tensors_of(model_folders["1.x"]).items()}
    save_file(halves, tmp_path / "half.safetensors")
    model = loaded(model=str(tmp_path / "half.safetensors"))
    assert model.training_side == 512
    whole = outputs(loaded(model=str(model_folders["1.x"])))
    torch.testing.assert_close(outputs(model)["unet"], whole["unet"], rtol=0, atol=0.02)


def test_folders_may_hold_a_variant_or_shards(model_folder: Path, model_folders: dict[str, Path]) -> None:
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextModel

    UNet2DConditionModel.from_pretrained(model_folder / "unet").save_pretrained(
        model_folder / "sharded", max_shard_size="4MB"
    )
    shutil.rmtree(model_folder / "unet")
    (model_folder / "sharded").rename(model_folder / "unet")
    assert (model_folder / "unet/diffusion_pytorch_model.safetensors.index.json").exists()
    for part, kind in (("vae", AutoencoderKL), ("text_encoder", CLIPTextModel)):
        network = kind.from_pretrained(model_folder / part)
        shutil.rmtree(model_folder / part)
        network.save_pretrained(model_folder / part, variant="fp16")
    assert_same(loaded(model=str(model_folder)), loaded(model=str(model_folders["1.x"])))


def test_nothing_is_asked_of_the_network(
    model_folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def refuse(*arguments: object, **more: object) -> None:
        asked.append(arguments)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    lora = tmp_path / "lora.safetensors"
    make_kohya_lora(lora)
    loaded(model=str(model_folders["1.x"]), lora=str(lora))
    loaded(model=str(make_file(model_folders["1.x"], tmp_path / "model.safetensors")))
    assert asked == []


def test_the_terminal_stays_clean(
    model_folders: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = make_file(model_folders["2.x"], tmp_path / "model.safetensors", second=True)
    lora = tmp_path / "lora.safetensors"
    make_kohya_lora(lora)
    capfd.readouterr()
    embed(loaded(model=str(model_folders["1.x"]), lora=str(lora)), "word " * 100)
    loaded(model=str(file))
    assert capfd.readouterr() == ("", "")


def test_loading_says_how_far_it_is_and_can_be_cancelled(model_folders: dict[str, Path]) -> None:
    source = find({"model": str(model_folders["1.x"])})
    seen: list[float] = []
    load(source, choose("cpu"), seen.append)
    assert seen == sorted(seen)
    assert seen[0] == 0.0
    assert seen[-1] == 1.0

    def stop(fraction: float) -> None:
        if fraction > 0:
            raise Cancelled

    with pytest.raises(Cancelled):
        load(source, choose("cpu"), stop)


def test_long_prompts_lose_their_end(model_folders: dict[str, Path]) -> None:
    model = loaded(model=str(model_folders["1.x"]))
    short, cut = embed(model, "")
    assert short.shape == (1, 77, 64)
    assert short.dtype == torch.float32
    assert not cut
    assert not embed(model, "cat " * 75)[1]
    long, cut = embed(model, "cat " * 76)
    assert cut
    assert torch.equal(long, embed(model, "cat " * 300)[0])


def spoil(path: Path, change: Callable[[dict[str, Tensor]], None]) -> None:
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


UNET = "unet/diffusion_pytorch_model.safetensors"


def test_damaged_weights_are_refused(model_folder: Path) -> None:
    spoil(model_folder / UNET, lambda tensors: tensors["conv_in.weight"].fill_(torch.nan))
    assert "conv_in.weight" in str(refusal(model=str(model_folder)))


def test_missing_tensors_are_refused(model_folder: Path) -> None:
    spoil(model_folder / UNET, lambda tensors: tensors.pop("conv_in.weight"))
    assert "conv_in.weight" in str(refusal(model=str(model_folder)))
    spoil(model_folder / "text_encoder/model.safetensors", lambda tensors: tensors.pop(sorted(tensors)[-1]))
    refusal(model=str(model_folder))


def test_tensors_of_another_shape_are_refused(model_folder: Path) -> None:
    spoil(model_folder / UNET, lambda tensors: tensors.update({"conv_in.weight": torch.ones(8, 4, 3, 3)}))
    refusal(model=str(model_folder))


@pytest.mark.parametrize("name", ["input_blocks.4.0.in_layers.2.weight", "input_blocks.0.0.weight"])
def test_incomplete_checkpoints_are_refused(name: str, model_folders: dict[str, Path], tmp_path: Path) -> None:
    tensors = tensors_of(model_folders["1.x"])
    del tensors["model.diffusion_model." + name]
    save_file(tensors, tmp_path / "model.safetensors")
    assert "not a complete" in str(refusal(model=str(tmp_path / "model.safetensors")))


@pytest.mark.parametrize(
    ("part", "change", "sentence"),
    [
        ("scheduler/scheduler_config.json", {"prediction_type": "sample"}, "predicts 'sample'"),
        ("scheduler/scheduler_config.json", {"beta_schedule": "squaredcos_cap_v2"}, "squaredcos_cap_v2"),
        ("scheduler/scheduler_config.json", {"num_train_timesteps": 500}, "1000 steps"),
        ("scheduler/scheduler_config.json", {"beta_end": "much"}, "Loading the model 'model' failed"),
        ("text_encoder/config.json", {"hidden_size": 32}, ""),
        ("unet/config.json", {"block_out_channels": "many"}, ""),
        ("unet/config.json", {"time_cond_proj_dim": 256}, ""),
    ],
)
def test_configurations_that_do_not_fit_are_refused(
    part: str, change: dict[str, object], sentence: str, model_folder: Path
) -> None:
    path = model_folder / part
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert sentence in str(refusal(model=str(model_folder)))


def test_a_tokenizer_with_more_words_than_the_text_encoder_is_refused(
    model_folder: Path, model_folders: dict[str, Path]
) -> None:
    tiny = SHARED / "golden/tiny-sd"
    if not tiny.is_dir():
        pytest.skip("the shared test model tiny-sd is not here")
    model = shutil.copytree(tiny, model_folder.parent / "mixed")
    shutil.rmtree(model / "tokenizer")
    shutil.copytree(model_folder / "tokenizer", model / "tokenizer")
    assert "more words" in str(refusal(model=str(model)))


def test_what_libraries_raise_becomes_a_sentence(
    model_folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = find({"model": str(model_folders["1.x"])})

    def fail(error: BaseException) -> TweenbridgeError:
        def raising(*arguments: object, **more: object) -> None:
            raise error

        monkeypatch.setattr(loading, "_pretrained", raising)
        with pytest.raises(TweenbridgeError) as caught:
            load(source, choose("cpu"))
        return caught.value

    assert fail(MemoryError()).code is ErrorCode.OUT_OF_MEMORY
    assert fail(torch.OutOfMemoryError("CUDA out of memory.\nDetails")).code is ErrorCode.OUT_OF_MEMORY
    assert fail(RuntimeError("DefaultCPUAllocator: can't allocate memory")).code is ErrorCode.OUT_OF_MEMORY
    strange = fail(ZeroDivisionError("one line\nand another"))
    assert strange.code is ErrorCode.MODEL_FAILED
    assert "one line" in str(strange)
    assert "another" not in str(strange)


@pytest.mark.parametrize(
    ("yaml", "metadata", "spread", "velocity"),
    [
        ("", {}, 0.0, False),
        ("", {}, 0.3, True),
        ("", {"modelspec.prediction_type": "epsilon"}, 0.3, False),
        ("", {"modelspec.prediction_type": "v"}, 0.0, True),
        ("", {"modelspec.architecture": "stable-diffusion-v2-768-v"}, 0.0, True),
        ("", {"modelspec.architecture": "stable-diffusion-v2-512"}, 0.3, False),
        ('    parameterization: "v"\n', {"modelspec.prediction_type": "epsilon"}, 0.0, True),
        ("    parameterization: eps\n", {}, 0.3, False),
    ],
)
def test_what_a_2x_file_predicts(
    yaml: str, metadata: dict[str, str], spread: float, velocity: bool, model_folders: dict[str, Path], tmp_path: Path
) -> None:
    tensors = tensors_of(model_folders["2.x"], second=True)
    biases = tensors["model.diffusion_model.output_blocks.11.1.transformer_blocks.0.norm1.bias"]
    biases.copy_(torch.linspace(-1, 1, len(biases)) * spread)
    save_file(tensors, tmp_path / "model.safetensors", metadata)
    if yaml:
        (tmp_path / "model.yaml").write_text("model:\n  params:\n" + yaml)
    model = loaded(model=str(tmp_path / "model.safetensors"))
    assert model.prediction is (Prediction.VELOCITY if velocity else Prediction.EPSILON)
    assert model.training_side == (768 if velocity else 512)


@pytest.mark.parametrize(
    ("text_width", "linear", "count"),
    # Published sizes of the U-Nets of Stable Diffusion 1.5 and 2.1.
    [(768, False, 859_520_964), (1024, True, 865_910_724)],
)
def test_the_true_models_are_rebuilt_from_shapes(text_width: int, linear: bool, count: int) -> None:
    from diffusers import UNet2DConditionModel

    widths = (320, 640, 1280, 1280)
    shapes: dict[str, tuple[int, ...]] = {"input_blocks.0.0.weight": (320, 4, 3, 3), "out.2.weight": (4, 320, 3, 3)}
    for level, width in enumerate(widths):
        block = f"input_blocks.{1 + 3 * level}"
        shapes[f"{block}.0.out_layers.3.weight"] = (width, width, 3, 3)
        if level < 3:
            shapes[f"{block}.1.proj_in.weight"] = (width, width) if linear else (width, width, 1, 1)
            shapes[f"{block}.1.transformer_blocks.0.attn2.to_k.weight"] = (width, text_width)
    config = unet_config({"model.diffusion_model." + name: shape for name, shape in shapes.items()}, 64)
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(config)
    assert sum(weight.numel() for weight in unet.parameters()) == count
    heads = [block.attentions[0].transformer_blocks[0].attn1.heads for block in unet.down_blocks[:3]]
    assert heads == ([5, 10, 20] if linear else [8, 8, 8])


@pytest.mark.parametrize("layout", ["original", "diffusers"])
def test_the_true_vae_is_rebuilt_from_shapes(layout: str, tmp_path: Path) -> None:
    from diffusers import AutoencoderKL

    block = "encoder.down.{}.block.{}" if layout == "original" else "encoder.down_blocks.{}.resnets.{}"
    shapes: dict[str, tuple[int, ...]] = {"decoder.conv_in.weight": (512, 4, 3, 3)}
    for level, width in enumerate((128, 256, 512, 512)):
        for layer in range(2):
            shapes[block.format(level, layer) + ".conv1.weight"] = (width, width, 3, 3)
    with torch.device("meta"):
        vae = AutoencoderKL.from_config(vae_config(shapes))
    assert sum(weight.numel() for weight in vae.parameters()) == 83_653_863


def test_noise_schedules() -> None:
    usual = cumulative_alphas({})
    # Published for Stable Diffusion: sqrt(1/alpha - 1) runs from 0.0292 to 14.6146.
    sigmas = ((1 - usual) / usual).sqrt()
    assert sigmas[0] == pytest.approx(0.0292, abs=1e-4)
    assert sigmas[-1] == pytest.approx(14.6146, abs=1e-3)
    linear = cumulative_alphas({"beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02})
    betas = np.linspace(0.0001, 0.02, 1000)
    np.testing.assert_allclose(linear.numpy(), np.cumprod(1 - betas), rtol=1e-12)
    trained = cumulative_alphas({"trained_betas": betas.tolist()})
    torch.testing.assert_close(trained, linear, rtol=1e-12, atol=0)
    rescaled = cumulative_alphas({"rescale_betas_zero_snr": True})
    assert rescaled[0] == pytest.approx(float(usual[0]))
    assert 0 < rescaled[-1] < 1e-6
    assert bool((rescaled.diff() < 0).all())


@pytest.mark.parametrize("name", ["golden/tiny-sd", "nano/nano-sd"])
def test_the_shared_models_load(name: str) -> None:
    if not (SHARED / name).is_dir():
        pytest.skip(f"the shared test model {name} is not here")
    model = loaded(model=str(SHARED / name))
    assert model.training_side == 256
    assert outputs(model)["decoded"].shape == (1, 3, 128, 128)


@pytest.mark.parametrize(("case", "prompt"), [("p001_128x128_T3", ""), ("p002_256x256_T6", "a photo of a dog")])
def test_prompts_are_embedded_as_recorded(case: str, prompt: str) -> None:
    recorded = SHARED / f"golden/cases/{case}.npz"
    if not recorded.is_file():
        pytest.skip(f"the recorded case {case} is not here")
    context, _ = embed(loaded(model=str(SHARED / "golden/tiny-sd")), prompt)
    np.testing.assert_allclose(context.numpy(), np.load(recorded)["text_emb"], rtol=0, atol=2e-5)


def test_vaes_with_large_values_are_not_computed_in_half_precision(model_folders: dict[str, Path]) -> None:
    vae = loaded(model=str(model_folders["1.x"])).vae
    assert stays_in_range(vae, torch.device("cpu"))
    vae.decoder.conv_in.weight.data *= 1e5
    assert not stays_in_range(vae, torch.device("cpu"))
    vae.decoder.conv_in.weight.data *= torch.nan
    assert not stays_in_range(vae, torch.device("cpu"))


def test_a_small_checkpoint_knows_the_first_of_clips_words(tiny_sd: Path, tmp_path: Path) -> None:
    small = loaded(model=str(make_file(tiny_sd, tmp_path / "tiny.safetensors")))
    assert len(small.tokenizer) == small.text_encoder.config.vocab_size == 520
    hidden, cut = embed(small, "")
    assert hidden.shape == (1, 77, 64) and torch.isfinite(hidden).all() and not cut
    assert torch.isfinite(embed(small, "a photo of a dog")[0]).all()
