"""What a `.safetensors` file holds, told from its header alone.

A file begins with the header's length (8 bytes, little endian) and the header: JSON that names every tensor with its
type, shape and place. Reading it takes milliseconds, runs nothing and needs neither torch nor numpy.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final

from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError

# A Stable Diffusion checkpoint's header has 0.2 MB; a longer one is no header but damage, or meant to fill the memory.
MAX_HEADER: Final = 16 * 2**20

LDM_UNET: Final = "model.diffusion_model."
LDM_VAE: Final = "first_stage_model."
LDM_TEXT_1: Final = "cond_stage_model.transformer."
LDM_TEXT_2: Final = "cond_stage_model.model."


class Contents(Enum):
    """What a weights file, or a folder, is: the words of error messages."""

    CHECKPOINT = "a Stable Diffusion checkpoint"
    VAE = "a VAE"
    LORA = "a LoRA"
    LYCORIS = "a relative of LoRA (LoHa, LoKr, DoRA)"
    CONTROLNET = "a ControlNet"
    SDXL = "a Stable Diffusion XL model"
    SD3 = "a Stable Diffusion 3 model"
    FLUX = "a Flux model"
    INPAINTING = "an inpainting model"
    SPECIAL = "a Stable Diffusion model for another purpose"
    UNET = "a U-Net without its VAE and text encoder"
    TEXT_ENCODER = "a text encoder"
    EMBEDDING = "a textual inversion"
    MOTION = "a motion module"
    UNKNOWN = "nothing that this engine knows"


@dataclass(frozen=True)
class Header:
    """A weights file's tensors.

    Attributes:
        shapes: each tensor's shape by its name.
        metadata: what the file's maker noted.
    """

    shapes: Mapping[str, tuple[int, ...]]
    metadata: Mapping[str, str]

    def any(self, *parts: str) -> bool:
        """Whether some tensor's name contains one of these."""
        return any(part in name for name in self.shapes for part in parts)

    def starts(self, *prefixes: str) -> bool:
        """Whether some tensor's name starts with one of these."""
        return any(name.startswith(prefixes) for name in self.shapes)


def read_header(path: Path) -> Header:
    """Read and check the header of a `.safetensors` file.

    Raises:
        TweenbridgeError: MODEL_FAILED where the file is empty, damaged, cut short, or no such file, or cannot be read.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
            length = int.from_bytes(start, "little")
            if not size:
                raise damaged(path, "is empty")
            if len(start) < 8 or not 2 <= length <= MAX_HEADER:
                raise damaged(path, "is not a safetensors file, or damaged")
            if length > size - 8:
                raise damaged(path, "is cut short")
            text = file.read(length)
    except OSError as error:
        raise unreadable(path, error) from None
    try:
        table = json.loads(text)
        metadata = table.pop("__metadata__", None) or {}
        shapes = {str(name): tuple(int(side) for side in entry["shape"]) for name, entry in table.items()}
        end = max((int(entry["data_offsets"][1]) for entry in table.values()), default=0)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError):
        raise damaged(path, "is not a safetensors file, or damaged") from None
    if 8 + length + end > size:
        raise damaged(path, "is cut short")
    if not isinstance(metadata, dict):
        metadata = {}
    return Header(shapes, {str(key): str(value) for key, value in metadata.items()})


def description_of(checkpoint: Path) -> Path:
    """Where the original code's description of a checkpoint lies, if there is one."""
    return checkpoint.with_suffix(".yaml")


def damaged(path: Path, how: str) -> TweenbridgeError:
    """The error for a file that is not what it should be; `how` follows its name."""
    return TweenbridgeError(
        ErrorCode.MODEL_FAILED,
        f"The file {path.name!r} {how}.",
        remedy=f"Download it again: {path}",
    )


def unreadable(path: Path, error: OSError) -> TweenbridgeError:
    """The error for a file or folder that the system does not let us read."""
    return TweenbridgeError(
        ErrorCode.MODEL_FAILED,
        f"{path.name!r} cannot be read: {error.strerror or type(error).__name__}.",
        remedy=f"Check that you may read it: {path}",
    )


_SPECIAL_INPUTS: Final = {9: Contents.INPAINTING}

_SIGNS: Final[tuple[tuple[Contents, Callable[[Header], bool]], ...]] = (
    (Contents.LYCORIS, lambda h: h.any(".hada_w", ".lokr_w", ".dora_scale", ".oft_")),
    (
        Contents.LORA,
        lambda h: (
            h.starts("lora_unet_", "lora_te")
            or h.any(
                ".lora_down.", ".lora_up.", ".lora_A.", ".lora_B.", ".lora.down.", "_lora.down", ".lora_linear_layer."
            )
        ),
    ),
    (Contents.CONTROLNET, lambda h: h.any("control_model.", "controlnet_", "input_hint_block", "zero_convs")),
    (Contents.MOTION, lambda h: h.any("motion_modules.") and not h.starts(LDM_UNET)),
    (Contents.FLUX, lambda h: h.any("double_blocks.", "single_transformer_blocks.")),
    (Contents.SD3, lambda h: h.any("joint_blocks.", "pos_embed_input")),
    (Contents.SDXL, lambda h: h.starts("conditioner.embedders.") or h.any("label_emb.", "add_embedding.linear_1")),
    (Contents.CHECKPOINT, lambda h: h.starts(LDM_UNET + "input_blocks.")),
    (Contents.UNET, lambda h: h.starts("input_blocks.", "down_blocks.") and h.any("attn2.")),
    (
        Contents.VAE,
        lambda h: h.starts("decoder.", LDM_VAE + "decoder.") and h.any("decoder.conv_in.weight"),
    ),
    (Contents.TEXT_ENCODER, lambda h: h.any("text_model.encoder.", "transformer.resblocks.")),
    (Contents.EMBEDDING, lambda h: h.any("emb_params", "string_to_param") or _few_vectors(h)),
)


def _few_vectors(header: Header) -> bool:
    return 0 < len(header.shapes) <= 2 and all(len(shape) == 2 for shape in header.shapes.values())


def contents(header: Header) -> Contents:
    """What the file is."""
    if header.metadata.get("modelspec.architecture", "").startswith("stable-diffusion-xl"):
        return Contents.SDXL
    kind = next((kind for kind, sign in _SIGNS if sign(header)), Contents.UNKNOWN)
    if kind is Contents.CHECKPOINT:
        first = header.shapes.get(LDM_UNET + "input_blocks.0.0.weight", ())
        inputs = first[1] if len(first) == 4 else 4
        if inputs != 4:
            return _SPECIAL_INPUTS.get(inputs, Contents.SPECIAL)
    return kind


def pipeline_contents(class_name: str) -> Contents:
    """What a diffusers folder is, from the class that its `model_index.json` names."""
    for start, kind in (
        ("StableDiffusionXL", Contents.SDXL),
        ("StableDiffusion3", Contents.SD3),
        ("Flux", Contents.FLUX),
    ):
        if class_name.startswith(start):
            return kind
    if "ControlNet" in class_name:
        return Contents.CONTROLNET
    if "Inpaint" in class_name:
        return Contents.INPAINTING
    if class_name.startswith("StableDiffusion"):
        special = ("Upscale", "Depth2Img", "InstructPix2Pix", "ImageVariation", "GLIGEN", "LDM3D")
        return Contents.SPECIAL if any(word in class_name for word in special) else Contents.CHECKPOINT
    return Contents.UNKNOWN


def component_contents(config: Mapping[str, Any]) -> Contents:
    """What a folder without `model_index.json` is, from its `config.json`."""
    name = str(config.get("_class_name", "")) or str((config.get("architectures") or [""])[0])
    known = {
        "AutoencoderKL": Contents.VAE,
        "UNet2DConditionModel": Contents.UNET,
        "ControlNetModel": Contents.CONTROLNET,
        "MotionAdapter": Contents.MOTION,
        "CLIPTextModel": Contents.TEXT_ENCODER,
        "SD3Transformer2DModel": Contents.SD3,
        "FluxTransformer2DModel": Contents.FLUX,
    }
    return known.get(name, Contents.UNKNOWN)
