"""Trains a recogniser on composed, augmented pictures; never on anything a network has drawn."""

import argparse
import json
import random
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import Dataset

from counterpoint.recognisers import HEADS, NO_OBJECT, Head, Recogniser, RecogniserConfig, Role
from counterpoint.results import wilson_interval
from counterpoint.scenes.compose import compose
from counterpoint.scenes.sprites import Sprites
from counterpoint.scenes.vocabulary import BACKGROUNDS, OBJECTS, SUBJECTS
from counterpoint.scenes.world import Scene, Split, sample_scene
from counterpoint.training.config import LoopConfig, add_arguments, config_from, sprites_folder, step_seed
from counterpoint.training.loop import WEIGHTS, Batch, Training

DEFAULTS = LoopConfig(
    out=Path("training/judge"),
    steps=1200,
    batch_size=32,
    learning_rate=1e-3,
    weight_decay=0.05,
    sample_every=1000,
)
EXAMPLE = """example:
  python -m counterpoint.training.recogniser --role judge --sprites icons/flat --out training/judge
  python -m counterpoint.training.recogniser --role judge --sprites icons/flat --out training/judge \\
      --start src/counterpoint/recogniser_weights/judge --steps 2200
"""
WIDTHS: dict[Role, tuple[int, ...]] = {"judge": (32, 64, 96, 160), "checker": (48, 96, 192)}
SEEDS: dict[Role, int] = {"judge": 101, "checker": 202}


def new_config(role: Role, widths: tuple[int, ...] | None = None) -> RecogniserConfig:
    """Configuration with the vocabulary's labels.

    Args:
        role: Which of the two recognisers.
        widths: Channels of each stage; None takes the role's own.
    """
    return RecogniserConfig(
        role=role,
        subjects=tuple(SUBJECTS),
        objects=(NO_OBJECT, *OBJECTS),
        backgrounds=tuple(BACKGROUNDS),
        widths=widths or WIDTHS[role],
    )


def labels_of(scene: Scene, config: RecogniserConfig) -> dict[Head, int]:
    """Number of the right label of each head."""
    return {
        "subject": config.subjects.index(scene.subject),
        "object": config.objects.index(scene.object or NO_OBJECT),
        "background": config.backgrounds.index(scene.background),
    }


def augment(picture: NDArray[np.uint8], rng: random.Random) -> NDArray[np.uint8]:
    """Shift, blur, coarsen, recolour and add noise, each a little and not always.

    Generated pictures are softer and dirtier than composed ones; this is what bridges the gap.

    Args:
        picture: RGB, (H, W, 3).
        rng: Source of chance.
    """
    x, y = rng.randint(-5, 5), rng.randint(-5, 5)
    padded = np.pad(picture, ((5, 5), (5, 5), (0, 0)), mode="edge")
    h, w = picture.shape[:2]
    image = Image.fromarray(padded[5 + y : 5 + y + h, 5 + x : 5 + x + w])
    if rng.random() < 0.5:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.8)))
    if rng.random() < 0.25:
        side = rng.randint(48, 96)
        image = image.resize((side, side), Image.Resampling.BILINEAR)
        image = image.resize((w, h), Image.Resampling.BICUBIC)
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = enhance(image).enhance(rng.uniform(0.8, 1.2))
    values = np.asarray(image, dtype=np.float64)
    noise = np.random.default_rng(rng.getrandbits(63))
    if rng.random() < 0.5:
        values = values + noise.normal(0, rng.uniform(2, 14), values.shape)
    if rng.random() < 0.25:  # Blotches of 8 px, as a weak decoder leaves them.
        coarse = noise.normal(0, rng.uniform(4, 14), (h // 8, w // 8, 3))
        values = values + coarse.repeat(8, axis=0).repeat(8, axis=1)
    return values.round().clip(0, 255).astype(np.uint8)


class LabelledScenes(Dataset[Batch]):
    """Item k: composed pictures and their labels, drawn from (seed, k)."""

    def __init__(
        self,
        sprites: Path,
        config: RecogniserConfig,
        *,
        batch_size: int,
        seed: int,
        split: Split = "train",
        augmented: bool = True,
    ) -> None:
        """Remember the settings.

        Args:
            sprites: Folder of the flat SVG files.
            config: Gives the labels' order.
            batch_size: Pictures in one item.
            seed: Seed of the run.
            split: Split of the scenes.
            augmented: Whether the pictures are degraded.
        """
        self.sprites = Sprites(sprites)
        self.config = config
        self.batch_size = batch_size
        self.seed = seed
        self.split: Split = split
        self.augmented = augmented

    def __getitem__(self, step: int) -> Batch:
        """Batch of one step: `pixels` (B, 3, H, W) in [0, 1], and one (B,) per head."""
        rng = random.Random(step_seed(self.seed, step))
        pictures, labels = [], []
        for _ in range(self.batch_size):
            scene = sample_scene(rng, self.split)
            picture = compose(scene, self.sprites, rng)
            pictures.append(augment(picture, rng) if self.augmented else picture)
            labels.append(labels_of(scene, self.config))
        pixels = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
        batch = {"pixels": pixels.contiguous()}
        for head in HEADS:
            batch[head] = torch.tensor([label[head] for label in labels])
        return batch


class RecogniserRecipe:
    """Recogniser's data, loss and export."""

    def __init__(self, sprites: Path, model: Recogniser, config: LoopConfig) -> None:
        """Set up the part.

        Args:
            sprites: Folder of the flat SVG files.
            model: Recogniser to train.
            config: Gives batch size and seed.
        """
        self.model: nn.Module = model
        self.batches: Dataset[Batch] = LabelledScenes(
            sprites, model.config, batch_size=config.batch_size, seed=config.seed
        )

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Cross-entropy summed over the heads, labels smoothed; also each head's accuracy."""
        logits = self.model(batch["pixels"])
        losses = [functional.cross_entropy(logits[h].float(), batch[h], label_smoothing=0.05) for h in HEADS]
        scalars = {"loss": torch.stack(losses).sum()}
        for head in HEADS:
            scalars[head] = (logits[head].argmax(1) == batch[head]).float().mean()
        return scalars

    def sheet(self, averaged: nn.Module) -> Image.Image | None:
        """A recogniser draws nothing."""
        return None

    def export(self, averaged: nn.Module, folder: Path) -> None:
        """Folder that `Recogniser.from_pretrained` reads."""
        cast(Recogniser, averaged).save_pretrained(folder)

    def describe(self) -> dict[str, Any]:
        """Architecture and labels."""
        config = cast(Recogniser, self.model).config
        return {
            "part": config.role,
            "widths": list(config.widths),
            "labels": {head: list(config.labels(head)) for head in HEADS},
        }


@torch.no_grad()
def accuracy_report(recogniser: Recogniser, scenes: LabelledScenes, count: int) -> dict[str, Any]:
    """Share of right labels of each head, with Wilson intervals.

    Args:
        recogniser: In evaluation mode, on the CPU.
        scenes: Held-out scenes.
        count: Number of pictures, rounded up to whole batches.
    """
    right = dict.fromkeys((*HEADS, "all"), 0)
    batches = -(-count // scenes.batch_size)
    for number in range(batches):
        batch = scenes[number]
        logits = recogniser(batch["pixels"])
        hits = {h: logits[h].argmax(1) == batch[h] for h in HEADS}
        for head in HEADS:
            right[head] += int(hits[head].sum())
        right["all"] += int(torch.stack(list(hits.values())).all(0).sum())
    n = batches * scenes.batch_size
    report: dict[str, Any] = {}
    for name, number in right.items():
        low, high = wilson_interval(number, n)
        report[name] = {"value": number / n, "low": low, "high": high, "n": n, "unit": "share"}
    return report


def evaluate(folder: Path, sprites: Path, count: int) -> dict[str, Any]:
    """Accuracy of a saved recogniser on test scenes, as composed and degraded."""
    recogniser = Recogniser.from_pretrained(folder)
    report = {}
    for name, augmented in (("composed", False), ("degraded", True)):
        scenes = LabelledScenes(
            sprites,
            recogniser.config,
            batch_size=32,
            seed=9,
            split="test",
            augmented=augmented,
        )
        report[name] = accuracy_report(recogniser, scenes, count)
    return report


def first_recogniser(role: Role, start: Path | None) -> Recogniser:
    """Untrained recogniser of a role, or the trained one of a folder.

    Raises:
        ValueError: The folder holds the other role, or one made for other labels.
    """
    if start is None:
        return Recogniser(new_config(role))
    recogniser = Recogniser.from_pretrained(start)
    wanted = new_config(role, recogniser.config.widths)
    if recogniser.config != wanted:
        raise ValueError(f"--start {start} holds a {recogniser.config.role}, or other labels than the vocabulary's.")
    return recogniser


def build_parser() -> argparse.ArgumentParser:
    """Command line of this part."""
    parser = argparse.ArgumentParser(
        prog="python -m counterpoint.training.recogniser",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--role", choices=("judge", "checker"), required=True, help="which of the two")
    add("--sprites", type=sprites_folder, required=True, help="folder of flat SVG files")
    add("--start", type=Path, default=None, help="folder of a trained recogniser to start from, instead of noise")
    add("--test-pictures", type=int, default=2000, help="held-out pictures (default: %(default)s)")
    add_arguments(parser, DEFAULTS)
    parser.set_defaults(seed=None)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Train, then write the held-out accuracy; exit code 4 tells that steps are left."""
    arguments = build_parser().parse_args(argv)
    role: Role = arguments.role
    if arguments.seed is None:
        arguments.seed = SEEDS[role]
    config = config_from(arguments, DEFAULTS)
    torch.manual_seed(config.seed)
    recipe = RecogniserRecipe(arguments.sprites, first_recogniser(role, arguments.start), config)
    if not Training(recipe, config).run():
        return 4
    folder = config.out / WEIGHTS
    report = evaluate(folder, arguments.sprites, arguments.test_pictures)
    (folder / "accuracy.json").write_text(json.dumps(report, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
