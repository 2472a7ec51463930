"""Checks with HF peft the adapters that the example `peft_lora_files` wrote.

    cargo run -p peft-lora --example peft_lora_files -- OUT
    python crates/peft-lora/tests/data/peft_roundtrip.py OUT

Loads each `OUT/<case>/` with `PeftModel.from_pretrained` over the small timm ViT of `golden.py` and
compares the features with `OUT/<case>.safetensors`, before and after `merge_and_unload`; fails if
they differ by more than 1e-5 of the largest. Run with peft 0.21.2, timm 1.0.31, torch 2.15.0 and
safetensors 0.8.0.
"""

import pathlib
import sys

import torch
from golden import HERE, model
from peft import PeftModel
from safetensors.torch import load_file


def difference(vit, record):
    with torch.no_grad():
        features = vit.forward_features(record["images"])
    return float((features - record["features"]).abs().max() / record["features"].abs().max())


def main():
    out = pathlib.Path(sys.argv[1])
    cases = sorted(path for path in out.iterdir() if path.is_dir())
    if not cases:
        sys.exit(f"no adapters in {out}")
    worst = 0.0
    for case in cases:
        record = load_file(case.with_suffix(".safetensors"))
        vit = model().eval()
        vit.load_state_dict(load_file(HERE / "vit.safetensors"))
        base = difference(vit, record)
        peft = PeftModel.from_pretrained(vit, case).eval()
        adapted = difference(peft.base_model.model, record)
        merged = difference(peft.merge_and_unload(), record)
        print(f"{case.name}: adapted {adapted:.1e}, merged {merged:.1e}, without adapter {base:.1e}")
        worst = max(worst, adapted, merged)
        if base < 1e-2:
            sys.exit("the adapter changes nothing")
    if worst > 1e-5:
        sys.exit(f"features differ by {worst:.1e}")


if __name__ == "__main__":
    main()
