"""What the `dreammover` engine says of itself; importable without its code and without torch."""

from __future__ import annotations

from typing import Final

from tweenbridge.protocol.messages import EngineInfo, ProfileInfo, SettingInfo

INFO: Final = EngineInfo(
    name="dreammover",
    title="DreamMover",
    version="1",
    profiles=(
        ProfileInfo("standard", "Standard", "Corrected and fast: the one to use."),
        ProfileInfo("draft", "Draft", "Few steps, for trying timings and prompts."),
        ProfileInfo("best", "Best", "Learns the shot's keyframes first; takes minutes."),
        ProfileInfo("reference", "Reference", "Exactly the published method, for comparison."),
    ),
    settings=(
        SettingInfo(
            "model",
            "Model",
            "str",
            "",
            help="A name in the list of models, a folder, or a .safetensors file.",
        ),
        SettingInfo("vae", "VAE", "str", "", help="Another VAE: a folder or a .safetensors file."),
        SettingInfo("lora", "LoRA", "str", "", help="A LoRA of your own: a .safetensors file."),
        SettingInfo("lora_weight", "LoRA weight", "float", 1.0, 0.0, 2.0, help="How much the LoRA counts."),
        SettingInfo("prompt", "Prompt", "str", "", help="What the shot shows. Optional."),
        SettingInfo(
            "strength", "Strength", "float", 0.0, 0.0, 0.9, help="More invents, less keeps. 0: the model's own."
        ),
        SettingInfo("working_size", "Working size", "int", 0, 0, 2048, help="Pixels of a square side. 0: the model's."),
        SettingInfo("detail", "Restore detail", "bool", True, help="Take fine detail from the keyframes."),
        SettingInfo("second_opinion", "Use optical flow", "bool", True, help="Also ask optical flow where things go."),
        SettingInfo("seed", "Seed", "int", 0, 0, 2**31 - 1, help="For what is drawn at random (Best)."),
    ),
    description="Large motion and things that appear: a diffusion model draws what is between.",
    needs=("model",),
    # A Stable Diffusion 1.5 model in half precision, keys and values of 12 steps, and 16 frames of 512 x 512 at once.
    memory=4_000_000_000,
)
