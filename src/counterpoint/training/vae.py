"""Trains the autoencoder: 64 px crops of composed scenes, L1 + gradient loss, no sampled posterior.

The posterior's mode is decoded and a small penalty on the latents' square keeps them bounded. With
a sampled posterior and a KL term the same network lost one to two of four latent channels.
"""

import argparse
import copy
import random
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from diffusers import AutoencoderKL
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import Dataset

from counterpoint.scenes.compose import compose
from counterpoint.scenes.sprites import Sprites
from counterpoint.scenes.world import Split, sample_scene
from counterpoint.training.config import LoopConfig, add_arguments, config_from, sprites_folder, step_seed
from counterpoint.training.loop import Batch, Training

DEFAULTS = LoopConfig(out=Path("training/vae"), steps=3400, batch_size=16, learning_rate=1e-3, warmup_steps=50)
EXAMPLE = """examples: crops first, then whole scenes, as the group norms see other statistics in those
  python -m counterpoint.training.vae --sprites icons/flat --out training/crops --steps 3400
  python -m counterpoint.training.vae --sprites icons/flat --start training/crops/weights --crop 128 \\
      --batch-size 4 --learning-rate 4e-4 --steps 800 --out training/vae
"""
LATENT_PENALTY = 1e-3
STATISTICS_SCENES = 256


def to_signed(pictures: np.ndarray[Any, Any]) -> Tensor:
    """Pictures (B, H, W, 3) uint8 as a tensor (B, 3, H, W) in [-1, 1]."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div(127.5).sub(1).contiguous()


def to_sheet(pictures: Tensor, columns: int) -> Image.Image:
    """Pictures (B, 3, H, W) in [-1, 1] as one picture, row by row; B is a multiple of `columns`."""
    b, c, h, w = pictures.shape
    bytes_ = pictures.float().clamp(-1, 1).add(1).mul(127.5).round().byte().cpu()
    grid = bytes_.reshape(b // columns, columns, c, h, w).permute(0, 3, 1, 4, 2)
    return Image.fromarray(grid.reshape(b // columns * h, columns * w, c).numpy())


def composed_scenes(sprites: Sprites, *, seed: int, count: int, split: Split) -> Tensor:
    """Whole scenes (B, 3, 128, 128) in [-1, 1]; the same for the same seed."""
    rng = random.Random(seed)
    pictures = [compose(sample_scene(rng, split), sprites, rng) for _ in range(count)]
    return to_signed(np.stack(pictures))


class Crops(Dataset[Batch]):
    """Item k: random square crops of freshly composed training scenes, drawn from (seed, k)."""

    def __init__(self, sprites: Path, *, batch_size: int, seed: int, crop: int = 64) -> None:
        """Remember the settings; sprites are read in the process that makes the batches.

        Args:
            sprites: Folder of the flat SVG files.
            batch_size: Crops in one item, one from each scene.
            seed: Seed of the run.
            crop: Side of a crop in pixels, a multiple of 8.
        """
        self.root = sprites
        self.batch_size = batch_size
        self.seed = seed
        self.crop = crop
        self.sprites: Sprites | None = None

    def __getitem__(self, step: int) -> Batch:
        """Batch of one step: `pixels` (B, 3, crop, crop) in [-1, 1]."""
        self.sprites = self.sprites or Sprites(self.root)
        rng = random.Random(step_seed(self.seed, step))
        crops = []
        for _ in range(self.batch_size):
            picture = compose(sample_scene(rng, "train"), self.sprites, rng)
            top = rng.randint(0, picture.shape[0] - self.crop)
            left = rng.randint(0, picture.shape[1] - self.crop)
            crops.append(picture[top : top + self.crop, left : left + self.crop])
        return {"pixels": to_signed(np.stack(crops))}


def build_vae(
    channels: tuple[int, ...] = (32, 64, 64, 128), *, groups: int = 8, latent_channels: int = 8
) -> AutoencoderKL:
    """Untrained autoencoder without attention; its latents are 8x smaller than the picture.

    Args:
        channels: Channels of each level; every level but the last halves the picture.
        groups: Groups of the group norm; one channel per group trains badly.
        latent_channels: Channels of the latents; with four, small and red things stayed blurred.
    """
    return AutoencoderKL(
        block_out_channels=channels,
        layers_per_block=1,
        latent_channels=latent_channels,
        down_block_types=("DownEncoderBlock2D",) * len(channels),
        up_block_types=("UpDecoderBlock2D",) * len(channels),
        norm_num_groups=groups,
        mid_block_add_attention=False,
        sample_size=128,
    )


@torch.no_grad()
def normalise_latents(vae: AutoencoderKL, mean: Tensor, std: Tensor) -> None:
    """Fold (z - mean) / std into the two 1x1 convolutions around the latents, in place.

    Pipelines know one factor for all channels and no shift, so the weights must carry the rest;
    the factor becomes 1. The variance half was never trained: it is set to almost nothing, so that
    a sampled posterior equals its mode.

    Args:
        vae: Autoencoder whose latents have the given statistics.
        mean: Mean of each channel, (C,).
        std: Standard deviation of each channel, (C,), > 0.
    """
    c = len(mean)
    inner, outer = cast(nn.Conv2d, vae.quant_conv), cast(nn.Conv2d, vae.post_quant_conv)
    bias_in, bias_out = cast(Tensor, inner.bias), cast(Tensor, outer.bias)
    inner.weight[:c] /= std[:, None, None, None]
    bias_in[:c] = (bias_in[:c] - mean) / std
    inner.weight[c:] = 0
    bias_in[c:] = -30
    bias_out += outer.weight[:, :, 0, 0] @ mean
    outer.weight *= std[None, :, None, None]
    vae.register_to_config(scaling_factor=1.0)


def gradient_distance(a: Tensor, b: Tensor) -> Tensor:
    """Mean absolute difference of horizontal plus vertical neighbour differences."""
    d = a - b
    return d.diff(dim=-1).abs().mean() + d.diff(dim=-2).abs().mean()


class VaeRecipe:
    """Autoencoder's data, loss, sample sheet and export."""

    def __init__(self, sprites: Path, model: AutoencoderKL, config: LoopConfig, *, crop: int = 64) -> None:
        """Set up the part.

        Args:
            sprites: Folder of the flat SVG files.
            model: Autoencoder to train.
            config: Gives batch size and seed.
            crop: Side of the training pictures in pixels, a multiple of 8, up to 128.
        """
        self.model: nn.Module = model
        self.crop = crop
        self.batches: Dataset[Batch] = Crops(sprites, batch_size=config.batch_size, seed=config.seed, crop=crop)
        self.sprites = Sprites(sprites)

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """L1 + gradient distance + 1e-3 times the latents' mean square; nothing is random."""
        pixels = batch["pixels"]
        vae = cast(AutoencoderKL, self.model)
        latents = vae.encode(pixels).latent_dist.mode()
        rebuilt = vae.decode(latents).sample.float()
        l1 = (rebuilt - pixels).abs().mean()
        gradient = gradient_distance(rebuilt, pixels)
        square = latents.float().pow(2).mean()
        loss = l1 + gradient + LATENT_PENALTY * square
        return {"loss": loss, "l1": l1, "gradient": gradient, "latent_square": square}

    def sheet(self, averaged: nn.Module) -> Image.Image:
        """Validation scenes, each row of originals over its reconstructions."""
        vae = cast(AutoencoderKL, averaged)
        originals = composed_scenes(self.sprites, seed=1, count=16, split="validation").to(vae.device)
        rebuilt = vae.decode(vae.encode(originals).latent_dist.mode()).sample
        rows = zip(originals.chunk(2), rebuilt.chunk(2), strict=True)
        return to_sheet(torch.cat([half for row in rows for half in row]), columns=8)

    def export(self, averaged: nn.Module, folder: Path) -> None:
        """Diffusers folder whose latents have mean 0 and standard deviation 1 in each channel."""
        vae = copy.deepcopy(cast(AutoencoderKL, averaged))
        scenes = composed_scenes(self.sprites, seed=2, count=STATISTICS_SCENES, split="train")
        parts = [vae.encode(s.to(vae.device)).latent_dist.mode() for s in torch.split(scenes, 16)]
        latents = torch.cat(parts).float()
        normalise_latents(vae, latents.mean((0, 2, 3)), latents.std((0, 2, 3)))
        vae.save_pretrained(folder)

    def describe(self) -> dict[str, Any]:
        """Architecture and loss weights."""
        vae = cast(AutoencoderKL, self.model)
        return {
            "part": "vae",
            "channels": list(vae.config["block_out_channels"]),
            "groups": vae.config["norm_num_groups"],
            "latent_channels": vae.config["latent_channels"],
            "latent_penalty": LATENT_PENALTY,
            "crop": self.crop,
        }


def build_parser() -> argparse.ArgumentParser:
    """Command line of this part."""
    parser = argparse.ArgumentParser(
        prog="python -m counterpoint.training.vae",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--sprites", type=sprites_folder, required=True, help="folder of flat SVG files")
    parser.add_argument("--crop", type=int, default=64, help="side of the training pictures (default: %(default)s)")
    parser.add_argument("--start", type=Path, default=None, help="folder of a trained autoencoder to start from")
    add_arguments(parser, DEFAULTS)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Train until the last step or a signal; exit code 4 tells that steps are left."""
    arguments = build_parser().parse_args(argv)
    config = config_from(arguments, DEFAULTS)
    torch.manual_seed(config.seed)
    model = build_vae() if arguments.start is None else AutoencoderKL.from_pretrained(arguments.start)
    recipe = VaeRecipe(arguments.sprites, model, config, crop=arguments.crop)
    return 0 if Training(recipe, config).run() else 4


if __name__ == "__main__":
    sys.exit(main())
