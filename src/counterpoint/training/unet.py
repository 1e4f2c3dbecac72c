"""Trains the denoiser on cached latents: v-prediction, 10 % empty captions, EMA."""

import argparse
import random
import sys
from pathlib import Path
from typing import Any, cast

import torch
from diffusers import AutoencoderKL, DDIMScheduler, DDPMScheduler, UNet2DConditionModel
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.data import Dataset

from counterpoint.scenes.captions import caption
from counterpoint.scenes.world import sample_scene
from counterpoint.training.config import LoopConfig, add_arguments, config_from, step_seed
from counterpoint.training.latents import read_metadata
from counterpoint.training.loop import Batch, Training
from counterpoint.training.text import encode_captions, load_text_encoder, minilm_folder
from counterpoint.training.vae import to_sheet

DEFAULTS = LoopConfig(
    out=Path("training/unet"),
    steps=20_000,
    batch_size=32,
    learning_rate=8e-4,
    weight_decay=0.01,
    warmup_steps=200,
    ema_decay=0.999,
    sample_every=1000,
    workers=0,
)
EXAMPLE = """example:
  python -m counterpoint.training.unet --latents training/latents.safetensors \\
      --vae training/vae/weights --out training/unet --steps 20000
"""
CHANNELS = (64, 128, 256)
SCHEDULE: dict[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "v_prediction",
}
"""Noise schedule that training and every sampler share."""
CAPTION_DROPOUT = 0.1
SHEET_GUIDANCE = 4.0
SHEET_STEPS = 25


def build_unet(
    channels: tuple[int, ...] = CHANNELS,
    *,
    latent_channels: int = 8,
    width: int = 384,
    heads: int = 8,
    groups: int = 32,
) -> UNet2DConditionModel:
    """Untrained denoiser of 16 x 16 latents; all levels but the highest attend to the caption.

    The highest level has four times the tokens of the next: without attention there a step costs a
    third less, and what the caption decides is larger than a cell.

    Args:
        channels: Channels of each level, each a multiple of `heads` and `groups`.
        latent_channels: Channels of the autoencoder's latents.
        width: Width of the caption's embeddings, D.
        heads: Number that diffusers calls `attention_head_dim`: heads of each attention.
        groups: Groups of the group norm.
    """
    attended = len(channels) - 1
    down = ("DownBlock2D",) + ("CrossAttnDownBlock2D",) * attended
    up = ("CrossAttnUpBlock2D",) * attended + ("UpBlock2D",)
    return UNet2DConditionModel(
        sample_size=16,
        in_channels=latent_channels,
        out_channels=latent_channels,
        block_out_channels=channels,
        layers_per_block=1,
        down_block_types=down,
        up_block_types=up,
        cross_attention_dim=width,
        attention_head_dim=heads,
        norm_num_groups=groups,
    )


class CachedLatents(Dataset[Batch]):
    """Item k: latents and caption embeddings drawn from (seed, k), some captions emptied."""

    def __init__(self, path: Path, *, batch_size: int, seed: int) -> None:
        """Read the file of `counterpoint.training.latents`.

        Args:
            path: The file.
            batch_size: Scenes in one item.
            seed: Seed of the run.
        """
        self.tensors = load_file(path)
        self.batch_size = batch_size
        self.seed = seed

    def __getitem__(self, step: int) -> Batch:
        """Batch of one step: `latents` (B, C, H, W) and `prompt_embeds` (B, L, D)."""
        g = torch.Generator().manual_seed(step_seed(self.seed, step) + 500_000_000_000)
        count = len(self.tensors["latents"])
        rows = torch.randint(count, (self.batch_size,), generator=g)
        embeds = self.tensors["prompt_embeds"][self.tensors["caption_index"][rows]].float()
        dropped = torch.rand(self.batch_size, generator=g) < CAPTION_DROPOUT
        embeds[dropped] = self.tensors["empty_prompt_embeds"].float()
        return {"latents": self.tensors["latents"][rows].float(), "prompt_embeds": embeds}


@torch.no_grad()
def draw_latents(unet: UNet2DConditionModel, embeds: Tensor, empty: Tensor, *, seed: int, steps: int) -> Tensor:
    """Latents (B, C, H, W) drawn with DDIM and classifier-free guidance.

    Args:
        unet: Denoiser.
        embeds: Caption embeddings, (B, L, D).
        empty: Embedding of the empty caption, (L, D).
        seed: Seeds the initial noise.
        steps: Number of DDIM steps, > 0.
    """
    scheduler = DDIMScheduler(**SCHEDULE, clip_sample=False, set_alpha_to_one=False, steps_offset=1)
    scheduler.set_timesteps(steps)
    device, count = unet.device, len(embeds)
    shape = (count, unet.config["in_channels"], *(unet.config["sample_size"],) * 2)
    latents = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(device)
    rows = torch.cat([empty.expand_as(embeds), embeds]).to(device)
    for t in scheduler.timesteps:
        plain, prompted = unet(torch.cat([latents] * 2), t, rows).sample.chunk(2)
        guided = plain + SHEET_GUIDANCE * (prompted - plain)
        latents = scheduler.step(guided, t, latents).prev_sample
    return latents


class UnetRecipe:
    """Denoiser's data, loss, sample sheet and export."""

    def __init__(
        self,
        model: UNet2DConditionModel,
        config: LoopConfig,
        *,
        latents: Path,
        vae: AutoencoderKL | None,
        sheet_embeds: Tensor | None,
    ) -> None:
        """Set up the part.

        Args:
            model: Denoiser to train.
            config: Gives batch size and seed.
            latents: File of `counterpoint.training.latents`.
            vae: Decodes the sample sheet; None draws no sheet.
            sheet_embeds: Caption embeddings of the sheet, (B, L, D), B a multiple of 4; or None.
        """
        self.model: nn.Module = model
        self.cached = CachedLatents(latents, batch_size=config.batch_size, seed=config.seed)
        self.batches: Dataset[Batch] = self.cached
        self.metadata = read_metadata(latents)
        self.scheduler = DDPMScheduler(**SCHEDULE)
        self.vae = vae
        self.sheet_embeds = sheet_embeds

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Mean squared error of the predicted velocity at a uniformly drawn timestep."""
        latents = batch["latents"]
        device = latents.device
        # Drawn on the CPU, so that the same step sees the same noise on every device.
        noise = torch.randn(latents.shape, generator=generator).to(device)
        limit = SCHEDULE["num_train_timesteps"]
        t = torch.randint(limit, (len(latents),), generator=generator).to(device)
        noisy = self.scheduler.add_noise(latents, noise, t)
        velocity = self.scheduler.get_velocity(latents, noise, t)
        predicted = self.model(noisy, t, batch["prompt_embeds"]).sample
        return {"loss": (predicted.float() - velocity).pow(2).mean()}

    def sheet(self, averaged: nn.Module) -> Image.Image | None:
        """Fixed validation captions, always from the same noise."""
        if self.vae is None or self.sheet_embeds is None:
            return None
        unet = cast(UNet2DConditionModel, averaged)
        empty = self.cached.tensors["empty_prompt_embeds"].float()
        latents = draw_latents(unet, self.sheet_embeds, empty, seed=0, steps=SHEET_STEPS)
        vae = self.vae.to(latents.device)
        pictures = vae.decode(latents / vae.config["scaling_factor"]).sample
        return to_sheet(pictures, columns=4)

    def export(self, averaged: nn.Module, folder: Path) -> None:
        """Diffusers folder of the averaged denoiser."""
        cast(UNet2DConditionModel, averaged).save_pretrained(folder)

    def describe(self) -> dict[str, Any]:
        """Architecture, noise schedule and the latents' origin."""
        config = cast(UNet2DConditionModel, self.model).config
        return {
            "part": "unet",
            "channels": list(config["block_out_channels"]),
            "down_block_types": list(config["down_block_types"]),
            "schedule": SCHEDULE,
            "caption_dropout": CAPTION_DROPOUT,
            "latents": self.metadata,
        }


def validation_captions(count: int) -> list[str]:
    """Captions of the sample sheet: the same validation scenes every time."""
    rng = random.Random(0)
    return [caption(sample_scene(rng, "validation"), rng) for _ in range(count)]


def build_parser() -> argparse.ArgumentParser:
    """Command line of this part."""
    parser = argparse.ArgumentParser(
        prog="python -m counterpoint.training.unet",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--latents", type=Path, required=True, help="file of counterpoint.training.latents")
    add("--vae", type=Path, required=True, help="folder of the trained autoencoder")
    add("--minilm", type=Path, default=None, help="text encoder's folder (default: the package)")
    add("--channels", type=int, nargs="+", default=CHANNELS, help="default: 64 128 256")
    add("--start", type=Path, default=None, help="folder of a trained denoiser to start from, instead of noise")
    add_arguments(parser, DEFAULTS)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Train until the last step or a signal; exit code 4 tells that steps are left."""
    arguments = build_parser().parse_args(argv)
    config = config_from(arguments, DEFAULTS)
    torch.manual_seed(config.seed)
    vae = AutoencoderKL.from_pretrained(arguments.vae).eval()
    if arguments.start is None:
        model = build_unet(tuple(arguments.channels), latent_channels=vae.config["latent_channels"])
    else:
        model = UNet2DConditionModel.from_pretrained(arguments.start)
    captions = validation_captions(16)
    recipe = UnetRecipe(
        model,
        config,
        latents=arguments.latents,
        vae=vae,
        sheet_embeds=encode_captions(captions, *load_text_encoder(minilm_folder(arguments.minilm))),
    )
    config.out.mkdir(parents=True, exist_ok=True)
    (config.out / "captions.txt").write_text("".join(f"{text}\n" for text in captions))
    return 0 if Training(recipe, config).run() else 4


if __name__ == "__main__":
    sys.exit(main())
