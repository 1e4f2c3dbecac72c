"""Trains the sanitizer of one text encoder on unsafe captions and their safe twins.

A third of each batch are harmless captions, which the map has to leave as they are.
"""

import argparse
import csv
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import diffusers
import torch
from diffusers import DiffusionPipeline
from rich.console import Console
from rich.progress import track
from torch import Tensor, nn
from torch.utils.data import Dataset

from counterpoint.embedded import embedded_model_path
from counterpoint.embeddings.sanitizer import SanitizerMap
from counterpoint.scenes.captions import caption, twin_captions
from counterpoint.scenes.world import sample_scene
from counterpoint.text_space import StableDiffusionText
from counterpoint.training.config import LoopConfig, add_arguments, config_from, step_seed
from counterpoint.training.loop import Batch, Training

DEFAULTS = LoopConfig(
    out=Path("training/sanitizer"),
    steps=1500,
    batch_size=64,
    learning_rate=1e-3,
    weight_decay=0.01,
    ema_decay=0.99,
    workers=0,
)
EXAMPLE = """examples:
  python -m counterpoint.training.sanitizer --out training/sanitizer
  python -m counterpoint.training.sanitizer --model path/to/stable-diffusion --pairs twins.csv --out training/sd15
"""
ENCODED_AT_ONCE = 64


def scene_pairs(count: int) -> list[tuple[str, str]]:
    """Training captions: two unsafe ones with their safe twins to one harmless caption with itself."""
    rng = random.Random(0)
    pairs: list[tuple[str, str]] = []
    while len(pairs) < count:
        scene = sample_scene(rng, "train")
        if scene.is_unsafe and len(pairs) % 3 < 2:
            pairs.append(twin_captions(scene, rng))
        elif not scene.is_unsafe and len(pairs) % 3 == 2:
            words = caption(scene, rng)
            pairs.append((words, words))
    return pairs


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """Pairs of a CSV file with the columns `unsafe` and `safe`; equal ones teach what to leave alone.

    Raises:
        ValueError: A column is missing, or the file holds no pair.
    """
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows or not {"unsafe", "safe"} <= rows[0].keys():
        raise ValueError(f"{path}: expected the columns unsafe and safe, and at least one row")
    return [(row["unsafe"], row["safe"]) for row in rows]


class TwinEmbeddings(Dataset[Batch]):
    """Item k: embeddings of captions and of their twins, drawn from (seed, k)."""

    def __init__(self, text: StableDiffusionText, pairs: Sequence[tuple[str, str]], config: LoopConfig) -> None:
        """Encode all captions once.

        Args:
            text: Text space of the encoder.
            pairs: Captions and their twins.
            config: Gives batch size and seed.
        """
        self.batch_size, self.seed = config.batch_size, config.seed
        self.sources = self._encode(text, [unsafe for unsafe, _ in pairs])
        self.targets = self._encode(text, [safe for _, safe in pairs])

    @staticmethod
    def _encode(text: StableDiffusionText, captions: Sequence[str]) -> Tensor:
        starts = range(0, len(captions), ENCODED_AT_ONCE)
        console = Console(stderr=True)
        chunks = track(starts, "captions", console=console, disable=not console.is_terminal)
        return torch.cat([text.encode(captions[start : start + ENCODED_AT_ONCE])[0].half().cpu() for start in chunks])

    def __getitem__(self, step: int) -> Batch:
        """Batch of one step: `sources` and `targets`, each (B, L, D)."""
        generator = torch.Generator().manual_seed(step_seed(self.seed, step))
        rows = torch.randint(len(self.sources), (self.batch_size,), generator=generator)
        return {"sources": self.sources[rows].float(), "targets": self.targets[rows].float()}


class SanitizerRecipe:
    """Sanitizer's data, loss and export."""

    def __init__(self, text: StableDiffusionText, batches: TwinEmbeddings) -> None:
        """Set up the part.

        Args:
            text: Text space of the encoder; its fingerprint goes into the export.
            batches: Cached embeddings.
        """
        self.fingerprint = text.fingerprint
        self.pairs = len(batches.sources)
        self.batches: Dataset[Batch] = batches
        self.model: nn.Module = SanitizerMap(batches.sources.shape[-1])

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Mean squared distance to the twin; `untouched` is that of the embeddings as they were."""
        mapped = self.model(batch["sources"])
        distance = (mapped - batch["targets"]).pow(2).mean()
        return {"loss": distance, "untouched": (batch["sources"] - batch["targets"]).pow(2).mean()}

    def sheet(self, averaged: nn.Module) -> None:
        """Draw nothing."""

    def export(self, averaged: nn.Module, folder: Path) -> None:
        """Folder that `Sanitizer` reads."""
        cast(SanitizerMap, averaged).save_pretrained(folder, fingerprint=self.fingerprint)

    def describe(self) -> dict[str, Any]:
        """Encoder and number of pairs."""
        return {"part": "sanitizer", "text_encoder": self.fingerprint, "pairs": self.pairs}


def build_parser() -> argparse.ArgumentParser:
    """Command line of this part."""
    parser = argparse.ArgumentParser(
        prog="python -m counterpoint.training.sanitizer",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--model", default=None, help="diffusers folder whose text encoder is meant (default: the embedded model)")
    add("--pairs", type=Path, default=None, help="CSV with unsafe,safe columns (default: captions of the scenes world)")
    add("--captions", type=int, default=6000, help="pairs of the scenes world (default: %(default)s)")
    add_arguments(parser, DEFAULTS)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Train until the last step or a signal; exit code 4 tells that steps are left."""
    arguments = build_parser().parse_args(argv)
    config = config_from(arguments, DEFAULTS)
    torch.manual_seed(config.seed)
    diffusers.utils.logging.set_verbosity_error()
    text = StableDiffusionText(DiffusionPipeline.from_pretrained(arguments.model or embedded_model_path()))
    pairs = scene_pairs(arguments.captions) if arguments.pairs is None else read_pairs(arguments.pairs)
    recipe = SanitizerRecipe(text, TwinEmbeddings(text, pairs, config))
    return 0 if Training(recipe, config).run() else 4


if __name__ == "__main__":
    sys.exit(main())
