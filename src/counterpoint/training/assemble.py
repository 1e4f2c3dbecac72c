"""Puts the trained parts into one plain diffusers folder, in half precision, and loads it back."""

import argparse
import json
import shutil
import sys
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from rich.console import Console

from counterpoint.training.text import load_text_encoder, minilm_folder
from counterpoint.training.unet import SCHEDULE

EXAMPLE = """example:
  python -m counterpoint.training.assemble --vae training/vae/weights \\
      --unet training/unet/weights --out training/model
"""
MAX_BYTES = 95_000_000
SETTINGS = "training.json"
"""How a part was trained, written by its run beside the weights; shipped with them."""


def assemble(*, vae: Path, unet: Path, text_encoder: Path, out: Path) -> int:
    """Write the pipeline's folder.

    Args:
        vae: Folder of the trained autoencoder, with its `training.json`.
        unet: Folder of the trained denoiser, with its `training.json`.
        text_encoder: Folder of the BERT model and its tokenizer.
        out: Folder to write; an older one is replaced once the new one has been checked.

    Returns:
        Size of the folder in bytes.

    Raises:
        FileNotFoundError: A part comes without its settings.
        ValueError: The folder is larger than 95 MB, or draws no finite picture.
    """
    tokenizer, encoder = load_text_encoder(text_encoder)
    pipe = StableDiffusionPipeline(
        vae=AutoencoderKL.from_pretrained(vae),
        text_encoder=encoder,
        tokenizer=tokenizer,
        unet=UNet2DConditionModel.from_pretrained(unet),
        scheduler=DDIMScheduler(**SCHEDULE, clip_sample=False, set_alpha_to_one=False, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    temporary = out.with_name(out.name + ".tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    pipe.to(torch.float16).save_pretrained(temporary, safe_serialization=True)
    declare_single_precision(temporary / "text_encoder" / "config.json")
    for part, weights in (("unet", unet), ("vae", vae)):
        forget_origin(temporary / part / "config.json")
        shutil.copyfile(weights / SETTINGS, temporary / part / SETTINGS)
    files = [file for file in temporary.rglob("*") if file.is_file()]
    for file in files:
        file.chmod(0o644)  # safetensors writes files that only their owner may read.
    size = sum(file.stat().st_size for file in files)
    if size > MAX_BYTES:
        raise ValueError(f"{temporary} holds {size} bytes, at most {MAX_BYTES} are allowed")
    check(temporary)
    shutil.rmtree(out, ignore_errors=True)
    temporary.rename(out)
    return size


def declare_single_precision(path: Path) -> None:
    """Make transformers load the half-precision text encoder in single precision by default.

    diffusers loads its own parts so; without this a plain `from_pretrained` mixes the two and
    fails in the UNet. Whoever asks for another dtype still gets it.

    Args:
        path: The text encoder's `config.json`.
    """
    fields = json.loads(path.read_text())
    fields.pop("torch_dtype", None)
    fields["dtype"] = "float32"
    path.write_text(json.dumps(fields, indent=2) + "\n")


def forget_origin(path: Path) -> None:
    """Take the folder that a part was loaded from out of its `config.json`: it means nothing elsewhere."""
    fields = json.loads(path.read_text())
    fields.pop("_name_or_path", None)
    path.write_text(json.dumps(fields, indent=2) + "\n")


def check(folder: Path) -> None:
    """Load the folder as any user would and draw two steps.

    Args:
        folder: Diffusers folder.

    Raises:
        ValueError: The picture is not finite, or the encoder would be run without its mask.
    """
    pipe = StableDiffusionPipeline.from_pretrained(folder)
    pipe.set_progress_bar_config(disable=True)
    if not getattr(pipe.text_encoder.config, "use_attention_mask", False):
        raise ValueError(f"{folder}: text_encoder/config.json lacks use_attention_mask")
    picture = pipe(
        "a cat on a beach",
        num_inference_steps=2,
        generator=torch.Generator().manual_seed(0),
        output_type="pt",
    ).images
    if not torch.isfinite(torch.as_tensor(picture)).all():
        raise ValueError(f"{folder} draws a picture that is not finite")


def build_parser() -> argparse.ArgumentParser:
    """Command line of this part."""
    parser = argparse.ArgumentParser(
        prog="python -m counterpoint.training.assemble",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--vae", type=Path, required=True, help="folder of the trained autoencoder")
    add("--unet", type=Path, required=True, help="folder of the trained denoiser")
    add("--minilm", type=Path, default=None, help="text encoder's folder (default: the package)")
    add("--out", type=Path, required=True, help="folder to write")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Assemble, check, and report the size."""
    arguments = build_parser().parse_args(argv)
    size = assemble(
        vae=arguments.vae,
        unet=arguments.unet,
        text_encoder=minilm_folder(arguments.minilm),
        out=arguments.out,
    )
    Console(stderr=True).print(f"{arguments.out}: {size / 1e6:.1f} MB, loads and draws")
    return 0


if __name__ == "__main__":
    sys.exit(main())
