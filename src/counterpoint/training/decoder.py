"""Trains the decoder alone, further: the latents stay what they are, so a trained denoiser stays valid."""

import argparse
import sys
from pathlib import Path
from typing import Any, cast

import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

from counterpoint.training.config import LoopConfig, add_arguments, config_from, sprites_folder
from counterpoint.training.loop import Batch, Training
from counterpoint.training.vae import VaeRecipe, gradient_distance

DEFAULTS = LoopConfig(out=Path("training/decoder"), steps=4000, batch_size=4, learning_rate=5e-4, warmup_steps=50)
EXAMPLE = """example:
  python -m counterpoint.training.decoder --sprites icons/flat --vae training/vae/weights \\
      --out training/decoder --steps 4000
"""


class DecoderRecipe(VaeRecipe):
    """The autoencoder's recipe with a frozen encoder."""

    def __init__(self, sprites: Path, model: AutoencoderKL, config: LoopConfig) -> None:
        """Freeze everything that makes the latents.

        Args:
            sprites: Folder of the flat SVG files.
            model: Trained autoencoder with normalised latents.
            config: Gives batch size and seed.
        """
        super().__init__(sprites, model, config, crop=128)  # whole scenes, as the denoiser draws them
        model.encoder.requires_grad_(False)
        cast(nn.Module, model.quant_conv).requires_grad_(False)

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """L1 + gradient distance; nothing is random."""
        pixels = batch["pixels"]
        vae = cast(AutoencoderKL, self.model)
        with torch.no_grad():
            latents = vae.encode(pixels).latent_dist.mode()
        rebuilt = vae.decode(latents).sample.float()
        l1 = (rebuilt - pixels).abs().mean()
        gradient = gradient_distance(rebuilt, pixels)
        return {"loss": l1 + gradient, "l1": l1, "gradient": gradient}

    def export(self, averaged: nn.Module, folder: Path) -> None:
        """Diffusers folder; the encoder's weights are those that were read."""
        cast(AutoencoderKL, averaged).save_pretrained(folder)

    def describe(self) -> dict[str, Any]:
        """The autoencoder's architecture."""
        described = super().describe()
        del described["latent_penalty"]
        return {**described, "part": "decoder"}


def build_parser() -> argparse.ArgumentParser:
    """Command line of this part."""
    parser = argparse.ArgumentParser(
        prog="python -m counterpoint.training.decoder",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--sprites", type=sprites_folder, required=True, help="folder of flat SVG files")
    parser.add_argument("--vae", type=Path, required=True, help="folder of the trained autoencoder")
    add_arguments(parser, DEFAULTS)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Train until the last step or a signal; exit code 4 tells that steps are left."""
    arguments = build_parser().parse_args(argv)
    config = config_from(arguments, DEFAULTS)
    recipe = DecoderRecipe(arguments.sprites, AutoencoderKL.from_pretrained(arguments.vae), config)
    return 0 if Training(recipe, config).run() else 4


if __name__ == "__main__":
    sys.exit(main())
