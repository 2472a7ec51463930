"""Adapters made by HF peft over a small timm ViT, with the features that the two give.

Writes beside itself:

* `vit.safetensors`: all weights of the model, under timm's names;
* `<case>/adapter_config.json`, `<case>/adapter_model.safetensors`: as `save_pretrained` wrote them;
* `<case>/features.safetensors`: `images` and `features` (`forward_features`, computed in float64).

No weight is left at its neutral value. Written with peft 0.21.2, timm 1.0.31, torch 2.15.0 and
safetensors 0.8.0.
"""

import pathlib
import shutil

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from timm.models.vision_transformer import VisionTransformer

HERE = pathlib.Path(__file__).parent

CASES = {
    "peft_patterns": dict(
        r=3,
        lora_alpha=5,
        target_modules=["qkv", "attn.proj", "fc1"],
        rank_pattern={"blocks.1.attn.qkv": 2, "fc1": 1},
        alpha_pattern={"blocks.0.attn.qkv": 7, "fc1": 2},
    ),
    "peft_rslora": dict(
        r=4, lora_alpha=6, use_rslora=True, target_modules=["attn.qkv"],
        modules_to_save=["patch_embed"],
    ),
    "peft_dora": dict(
        r=2, lora_alpha=3, use_dora=True, target_modules=r".*\.attn\.(qkv|proj)", lora_dropout=0.1,
    ),
}


def model():
    """The small ViT."""
    return VisionTransformer(
        img_size=16, patch_size=4, in_chans=5, embed_dim=24, depth=2, num_heads=2, mlp_ratio=2,
        num_classes=0,
    )


def shake(module, names, scale):
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if any(part in name for part in names):
                parameter.add_(scale * torch.randn_like(parameter))


def main():
    torch.manual_seed(11)
    vit = model()
    shake(vit, [""], 0.1)
    weights = {name: x.contiguous() for name, x in vit.state_dict().items()}
    save_file(weights, HERE / "vit.safetensors")
    images = torch.randn(2, 5, 16, 16)
    for case, settings in CASES.items():
        vit = model()
        vit.load_state_dict(load_file(HERE / "vit.safetensors"))
        peft = get_peft_model(vit, LoraConfig(**settings))
        shake(peft, ["lora_B", "magnitude", "modules_to_save"], 0.2)
        folder = HERE / case
        shutil.rmtree(folder, ignore_errors=True)
        peft.save_pretrained(folder)
        (folder / "README.md").unlink()
        peft.eval().double()
        with torch.no_grad():
            features = peft.base_model.model.forward_features(images.double())
        save_file({"images": images, "features": features.float()}, folder / "features.safetensors")


if __name__ == "__main__":
    main()
