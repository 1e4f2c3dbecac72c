"""Encodes training scenes and their captions once, so that the UNet's steps touch only tensors.

Scene i and its caption are drawn from (seed, i): the file is the same however many workers help.
"""

import argparse
import hashlib
import random
import sys
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from rich.console import Console
from rich.progress import track
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from counterpoint.scenes.captions import caption
from counterpoint.scenes.compose import compose
from counterpoint.scenes.sprites import Sprites
from counterpoint.scenes.world import sample_scene
from counterpoint.training.config import resolve_device, sprites_folder, step_seed
from counterpoint.training.text import encode_captions, load_text_encoder, minilm_folder
from counterpoint.training.vae import to_signed

EXAMPLE = """example:
  python -m counterpoint.training.latents --sprites icons/flat --vae training/vae/weights \\
      --out training/latents.safetensors --count 40000
"""


class CaptionedScenes(Dataset[tuple[Tensor, str]]):
    """Item i: picture (3, 128, 128) in [-1, 1] and one of its captions."""

    def __init__(self, sprites: Path, *, count: int, seed: int) -> None:
        """Remember the settings.

        Args:
            sprites: Folder of the flat SVG files.
            count: Number of scenes.
            seed: Seeds every item, with its number.
        """
        self.sprites = Sprites(sprites)
        self.count = count
        self.seed = seed

    def __len__(self) -> int:
        """Number of scenes."""
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, str]:
        """Compose one training scene."""
        rng = random.Random(step_seed(self.seed, index))
        scene = sample_scene(rng, "train")
        picture = compose(scene, self.sprites, rng)
        return to_signed(picture[None])[0], caption(scene, rng)


@torch.no_grad()
def encode_scenes(
    vae: AutoencoderKL, scenes: CaptionedScenes, *, batch_size: int, workers: int
) -> tuple[Tensor, list[str]]:
    """Scaled latents (N, C, H, W) in half precision, and the caption of each scene."""
    loader = DataLoader(scenes, batch_size=batch_size, num_workers=workers)
    console = Console(stderr=True)
    latents, captions = [], []
    for pictures, texts in track(loader, "scenes", console=console):
        z = vae.encode(pictures.to(vae.device)).latent_dist.mode() * vae.config["scaling_factor"]
        latents.append(z.half().cpu())
        captions.extend(texts)
    return torch.cat(latents), captions


def write_latents(path: Path, latents: Tensor, captions: list[str], folder: Path, metadata: dict[str, str]) -> None:
    """Encode each distinct caption once and write all tensors to one file.

    Args:
        path: File to write: `latents` (N, C, H, W), `caption_index` (N,), `prompt_embeds`
            (U, L, D) and `empty_prompt_embeds` (L, D) of the empty caption.
        latents: Scaled latents of N scenes.
        captions: N captions.
        folder: Folder of the text encoder.
        metadata: Strings kept in the file's header.
    """
    tokenizer, encoder = load_text_encoder(folder)
    encoder.to(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    unique = sorted(set(captions))
    position = {text: number for number, text in enumerate(unique)}
    chunks = [unique[start : start + 256] for start in range(0, len(unique), 256)]
    console = Console(stderr=True)
    embeds = [
        encode_captions(chunk, tokenizer, encoder).half().cpu() for chunk in track(chunks, "captions", console=console)
    ]
    tensors = {
        "latents": latents.contiguous(),
        "caption_index": torch.tensor([position[text] for text in captions]),
        "prompt_embeds": torch.cat(embeds),
        "empty_prompt_embeds": encode_captions([""], tokenizer, encoder)[0].half().cpu(),
    }
    temporary = path.with_suffix(".tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, temporary, metadata=metadata)
    temporary.replace(path)


def read_metadata(path: Path) -> dict[str, str]:
    """Header strings of a latents file."""
    with safe_open(path, framework="pt") as file:
        return dict(file.metadata())


def build_parser() -> argparse.ArgumentParser:
    """Command line of this part."""
    parser = argparse.ArgumentParser(
        prog="python -m counterpoint.training.latents",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--sprites", type=sprites_folder, required=True, help="folder of flat SVG files")
    add("--vae", type=Path, required=True, help="folder of the trained autoencoder")
    add("--out", type=Path, default=Path("training/latents.safetensors"), help="file to write")
    add("--count", type=int, default=40_000, help="number of scenes (default: %(default)s)")
    add("--minilm", type=Path, default=None, help="text encoder's folder (default: the package)")
    add("--batch-size", type=int, default=16, help="default: %(default)s")
    add("--seed", type=int, default=7, help="default: %(default)s")
    add("--threads", type=int, default=2, help="CPU threads of torch (default: %(default)s)")
    add("--workers", type=int, default=1, help="processes that compose scenes")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: %(default)s")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Write the file, unless one made from the same autoencoder and settings is there."""
    arguments = build_parser().parse_args(argv)
    torch.set_num_threads(arguments.threads)
    weights = arguments.vae / "diffusion_pytorch_model.safetensors"
    metadata = {
        "vae_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "count": str(arguments.count),
        "seed": str(arguments.seed),
    }
    console = Console(stderr=True)
    if arguments.out.exists() and read_metadata(arguments.out) == metadata:
        console.print(f"{arguments.out} is up to date")
        return 0
    vae = AutoencoderKL.from_pretrained(arguments.vae).eval()
    vae.to(resolve_device(arguments.device))
    scenes = CaptionedScenes(arguments.sprites, count=arguments.count, seed=arguments.seed)
    latents, captions = encode_scenes(vae, scenes, batch_size=arguments.batch_size, workers=arguments.workers)
    std = latents.float().std((0, 2, 3)).tolist()
    console.print(f"standard deviation of each channel: {[round(s, 3) for s in std]}")
    write_latents(arguments.out, latents, captions, minilm_folder(arguments.minilm), metadata)
    return 0


if __name__ == "__main__":
    sys.exit(main())
