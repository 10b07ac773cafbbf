"""Small Stable Diffusion models with random weights, made on the spot: 1.x and 2.x layouts, as folders and as files.

The way from diffusers' names to the original ones is written out here, so that loading is checked against something
else than itself.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel
from tweenbridge_server.engines.dreammover.clip_words import END, clip_tokenizer

TEXT_WIDTH = 64


def make_folder(folder: Path, second: bool = False) -> Path:
    """A diffusers folder: 1.x, or 2.x with linear projections, heads of 64 channels and velocity prediction."""
    with torch.random.fork_rng():
        torch.manual_seed(2 if second else 1)
        widths = (64, 64, 128, 128) if second else (32, 64, 64, 64)
        unet = UNet2DConditionModel(
            sample_size=32,
            block_out_channels=widths,
            cross_attention_dim=TEXT_WIDTH,
            attention_head_dim=tuple(width // 64 for width in widths) if second else 8,
            use_linear_projection=second,
        )
        vae = AutoencoderKL(
            block_out_channels=(32, 32, 32, 32),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=2,
        )
        text_encoder = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=49408,
                hidden_size=TEXT_WIDTH,
                intermediate_size=96,
                num_hidden_layers=2,
                num_attention_heads=1,
                hidden_act="gelu" if second else "quick_gelu",
                bos_token_id=49406,
                eos_token_id=49407,
            )
        )
        for part in (unet, vae, text_encoder):
            # Norms start as ones and zeros, which would hide that two were exchanged.
            for weight in part.parameters():
                weight.data += 0.02 * torch.randn_like(weight)
    unet.save_pretrained(folder / "unet")
    vae.save_pretrained(folder / "vae")
    text_encoder.save_pretrained(folder / "text_encoder")
    clip_tokenizer("!" if second else END).save_pretrained(folder / "tokenizer")
    DDIMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type="v_prediction" if second else "epsilon",
    ).save_pretrained(folder / "scheduler")
    classes = {"unet": "UNet2DConditionModel", "vae": "AutoencoderKL", "scheduler": "DDIMScheduler"}
    index = {"_class_name": "StableDiffusionPipeline", **{part: ["diffusers", name] for part, name in classes.items()}}
    index |= {"text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"]}
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def tensors_of(folder: Path, second: bool = False) -> dict[str, Tensor]:
    """The folder's weights under the names of the original Stable Diffusion code."""
    tensors = {
        "model.diffusion_model." + _unet_name(name): tensor
        for name, tensor in load_file(folder / "unet/diffusion_pytorch_model.safetensors").items()
    }
    for name, tensor in original_vae(folder).items():
        tensors["first_stage_model." + name] = tensor
    text = load_file(folder / "text_encoder/model.safetensors")
    text = {name.removeprefix("text_model."): tensor for name, tensor in text.items()}
    if second:
        tensors |= {"cond_stage_model.model." + name: tensor for name, tensor in _open_clip(text).items()}
    else:
        tensors |= {"cond_stage_model.transformer.text_model." + name: tensor for name, tensor in text.items()}
    # Checkpoints carry what is of no use in making pictures.
    tensors["alphas_cumprod"] = torch.ones(1000)
    tensors["model_ema.decay"] = torch.ones(())
    return {name: tensor.contiguous().clone() for name, tensor in tensors.items()}


def make_file(folder: Path, path: Path, second: bool = False, metadata: dict[str, str] | None = None) -> Path:
    """The folder's twin in one file."""
    noted = {"modelspec.resolution": "256x256", **({"modelspec.prediction_type": "v"} if second else {})}
    save_file(tensors_of(folder, second), path, noted if metadata is None else metadata)
    return path


def original_vae(folder: Path) -> dict[str, Tensor]:
    """The folder's VAE under its original names."""
    weights = load_file(folder / "vae/diffusion_pytorch_model.safetensors")
    renamed = {_vae_name(name): tensor for name, tensor in weights.items()}
    attention = re.compile(r"attn_1\.(q|k|v|proj_out)\.weight")
    return {name: t[:, :, None, None] if attention.search(name) else t for name, t in renamed.items()}


def make_kohya_lora(path: Path, unet_width: int = 32, text: bool = True) -> dict[str, Tensor]:
    """A LoRA as kohya's trainer writes it, rank 4, alpha 2 (U-Net) and 1 (text encoder).

    Returns:
        What it adds at weight 1, by the names of the parts it is added to.
    """
    generator = torch.Generator().manual_seed(3)
    layers: dict[str, tuple[int, ...]] = {
        "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q": (unet_width, unet_width),
        "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k": (64, TEXT_WIDTH),
        "unet.up_blocks.3.attentions.2.transformer_blocks.0.ff.net.2": (unet_width, 4 * unet_width),
        "unet.down_blocks.0.resnets.0.conv1": (unet_width, unet_width, 3),
    }
    if text:
        for projection in "qkv":
            layers[f"text_encoder.encoder.layers.1.self_attn.{projection}_proj"] = (TEXT_WIDTH, TEXT_WIDTH)
        # By this name diffusers tells the layout.
        layers["text_encoder.encoder.layers.1.self_attn.out_proj"] = (TEXT_WIDTH, TEXT_WIDTH)
        layers["text_encoder.encoder.layers.0.mlp.fc1"] = (96, TEXT_WIDTH)
    tensors: dict[str, Tensor] = {}
    added: dict[str, Tensor] = {}
    for name, (rows, columns, *kernel) in layers.items():
        down = torch.randn(4, columns, *kernel, *kernel, generator=generator)
        up = torch.randn(rows, 4, *(1 for side in 2 * kernel), generator=generator)
        part, _, module = name.partition(".")
        key = f"lora_unet_{module}" if part == "unet" else f"lora_te_text_model_{module}"
        key = key.replace(".", "_")
        alpha = 2.0 if part == "unet" else 1.0
        tensors |= {f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up, f"{key}.alpha": torch.tensor(alpha)}
        added[name] = (up.flatten(1) @ down.flatten(1)).reshape(rows, *down.shape[1:]) * (alpha / 4)
    save_file(tensors, path)
    return added


def make_peft_lora(path: Path, width: int = 32, alpha: float | None = None) -> dict[str, Tensor]:
    """A LoRA as diffusers' training scripts write it with peft; what it adds to which weight at weight 1."""
    generator = torch.Generator().manual_seed(4)
    name = "unet.up_blocks.3.attentions.0.transformer_blocks.0.attn1.to_out.0"
    down = torch.randn(2, width, generator=generator)
    up = torch.randn(width, 2, generator=generator)
    layers = {f"{name}.lora_A.weight": down, f"{name}.lora_B.weight": up}
    config = {"r": 2, "lora_alpha": alpha, "target_modules": ["to_out.0"], "rank_pattern": {}, "alpha_pattern": {}}
    notes = {"lora_adapter_metadata": json.dumps({f"unet.{key}": value for key, value in config.items()})}
    save_file(layers, path, None if alpha is None else notes)
    return {name: up @ down * (1.0 if alpha is None else alpha / 2)}


def make_weights(path: Path, shapes: dict[str, tuple[int, ...]]) -> Path:
    """A `.safetensors` file with tensors of these names and shapes, all zeros."""
    save_file({name: torch.zeros(shape) for name, shape in shapes.items()}, path)
    return path


_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}


def _unet_name(name: str) -> str:
    for new, old in (
        ("time_embedding.linear_1", "time_embed.0"),
        ("time_embedding.linear_2", "time_embed.2"),
        ("conv_in", "input_blocks.0.0"),
        ("conv_norm_out", "out.0"),
        ("conv_out", "out.2"),
    ):
        if name.startswith(new + "."):
            return old + name.removeprefix(new)
    block, number, kind, index, rest = _split(name)
    if block == "mid_block":
        place = "middle_block.1" if kind == "attentions" else f"middle_block.{2 * index}"
    elif kind == "downsamplers":
        return f"input_blocks.{3 * number + 3}.0.op.{rest.removeprefix('conv.')}"
    elif kind == "upsamplers":
        return f"output_blocks.{3 * number + 2}.{1 if number == 0 else 2}.{rest}"
    else:
        start = (
            f"input_blocks.{3 * number + index + 1}"
            if block == "down_blocks"
            else f"output_blocks.{3 * number + index}"
        )
        place = f"{start}.{0 if kind == 'resnets' else 1}"
    if kind == "resnets":
        head, _, tail = rest.partition(".")
        rest = f"{_RESNET[head]}.{tail}"
    return f"{place}.{rest}"


def _split(name: str) -> tuple[str, int, str, int, str]:
    match = re.fullmatch(r"(down_blocks|up_blocks|mid_block)\.(?:(\d+)\.)?(\w+)\.(\d+)\.(.+)", name)
    assert match is not None, name
    block, number, kind, index, rest = match.groups()
    return block, int(number or 0), kind, int(index), rest


def _vae_name(name: str) -> str:
    name = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m.group(1)) + 1}", name)
    if "mid_block.attentions.0" in name:
        name = name.replace("mid_block.attentions.0", "mid.attn_1")
        for new, old in (("group_norm", "norm"), ("to_q", "q"), ("to_k", "k"), ("to_v", "v"), ("to_out.0", "proj_out")):
            name = name.replace(f".{new}.", f".{old}.")
    name = re.sub(r"encoder\.down_blocks\.(\d)\.resnets\.(\d)", r"encoder.down.\1.block.\2", name)
    name = re.sub(r"encoder\.down_blocks\.(\d)\.downsamplers\.0", r"encoder.down.\1.downsample", name)
    name = re.sub(
        r"decoder\.up_blocks\.(\d)\.resnets\.(\d)",
        lambda m: f"decoder.up.{3 - int(m.group(1))}.block.{m.group(2)}",
        name,
    )
    return re.sub(
        r"decoder\.up_blocks\.(\d)\.upsamplers\.0", lambda m: f"decoder.up.{3 - int(m.group(1))}.upsample", name
    )


def _open_clip(text: dict[str, Tensor]) -> dict[str, Tensor]:
    """OpenCLIP's names, with one more layer at the end, which Stable Diffusion 2.x leaves out."""
    whole = {
        "token_embedding.weight": text["embeddings.token_embedding.weight"],
        "positional_embedding": text["embeddings.position_embedding.weight"],
        "ln_final.weight": text["final_layer_norm.weight"],
        "ln_final.bias": text["final_layer_norm.bias"],
        "text_projection": torch.ones(TEXT_WIDTH, TEXT_WIDTH),
        "logit_scale": torch.ones(()),
    }
    names = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj"}
    for layer in range(2):
        old, new = f"encoder.layers.{layer}", f"transformer.resblocks.{layer}"
        for kind in ("weight", "bias"):
            for theirs, ours in {**names, "self_attn.out_proj": "attn.out_proj"}.items():
                whole[f"{new}.{ours}.{kind}"] = text[f"{old}.{theirs}.{kind}"]
            parts = [text[f"{old}.self_attn.{part}_proj.{kind}"] for part in "qkv"]
            whole[f"{new}.attn.in_proj_{kind}"] = torch.cat(parts)
    last = {name: tensor for name, tensor in whole.items() if name.startswith("transformer.resblocks.1.")}
    return whole | {name.replace("resblocks.1.", "resblocks.2."): tensor for name, tensor in last.items()}
