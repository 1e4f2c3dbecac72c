"""Measure the invisible mark on pictures of the scenes world: found, faint, and no false alarms.

Examples:
    python -m counterpoint.bench.watermark --sprites icons/flat --out docs/results/watermark.json
    python -m counterpoint.bench.watermark --steps 4 --count 1000 --out docs/results/watermark-model.json
"""

from __future__ import annotations

import argparse
import io
import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.progress import track

from counterpoint.embedded import GUIDANCE_SCALE
from counterpoint.loading import load_pipe
from counterpoint.provenance.watermark import THRESHOLD, correlate, detect, embed, tile_sums
from counterpoint.results import Figure, rate, write_results
from counterpoint.scenes.compose import compose
from counterpoint.scenes.sprites import Sprites
from counterpoint.scenes.vocabulary import BACKGROUNDS, OBJECTS, SUBJECTS
from counterpoint.scenes.world import Scene

SIDES = (128, 192, 256, 512)
KEYS_TRIED = 100
"""Keys that each unmarked picture is tried with, for false alarms."""
COMPOSED = """Composed pictures of the scenes world (flat art, the hardest kind for a faint mark), sides 128, 192, 256
and 512 pixels in equal parts."""
DRAWN = """Pictures that the embedded model drew of random scenes in {steps} steps, as it draws them: {side} pixels."""
NOTES = """A picture counts as marked from z = {threshold} on. "False alarms" are unmarked ones, each
tried with {keys} keys, the default one among them. Scaling to half and back stands for a thumbnail that is enlarged
again. A crop by 8 pixels from the left and the top moves the pattern's tile and one by 3 pixels moves its grid: neither
is found, and no crop or scale is searched for. The mark is a marker: who knows the key can remove it, and the default
key is public."""


def main() -> None:
    """Run the measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--sprites", type=Path, help="folder of flat SVG files: composed pictures")
    source.add_argument("--steps", type=int, help="pictures of the embedded model, at so many steps")
    parser.add_argument("--count", type=int, default=400, help="pictures (default 400)")
    parser.add_argument("--out", type=Path, default=Path("docs/results/watermark.json"), help="JSON file to write")
    arguments = parser.parse_args()
    if arguments.sprites is not None:
        pictures, about = scenes(Sprites(arguments.sprites), arguments.count), COMPOSED
        how = "--sprites icons/flat"
    else:
        pipe = load_pipe()
        pictures, how = drawn(pipe, arguments.count, arguments.steps), f"--steps {arguments.steps}"
        about = DRAWN.format(steps=arguments.steps, side=pipe.unet.config.sample_size * pipe.vae_scale_factor)
    figures = measure(pictures, arguments.count)
    write_results(
        arguments.out,
        title="The invisible watermark",
        command=f"python -m counterpoint.bench.watermark {how} --count {arguments.count} --out {arguments.out}",
        figures=figures,
        notes=about + "\n\n" + NOTES.format(threshold=THRESHOLD, keys=KEYS_TRIED),
    )


def scenes(sprites: Sprites, count: int) -> Iterator[Image.Image]:
    """Yield random scenes; the sides take turns."""
    rng = random.Random(0)
    for index in range(count):
        scene = _scene(rng)
        yield Image.fromarray(compose(scene, sprites, rng, size=SIDES[index % len(SIDES)]))


def drawn(pipe: Any, count: int, steps: int) -> Iterator[Image.Image]:
    """Yield pictures of random scenes that the embedded model draws; picture k has seed k."""
    rng = random.Random(0)
    for seed in range(count):
        scene = _scene(rng)
        thing = f" with a {scene.object}" if scene.object else ""
        yield pipe(
            f"a {scene.subject}{thing}, {scene.background}",
            num_inference_steps=steps,
            guidance_scale=GUIDANCE_SCALE,
            generator=torch.Generator("cpu").manual_seed(seed),
        ).images[0]


def _scene(rng: random.Random) -> Scene:
    subjects, objects, backgrounds = sorted(SUBJECTS), [None, *sorted(OBJECTS)], sorted(BACKGROUNDS)
    return Scene(subject=rng.choice(subjects), object=rng.choice(objects), background=rng.choice(backgrounds))


def changes() -> dict[str, Callable[[Image.Image], Image.Image]]:
    """Return what may happen to a picture, by name."""

    def half_and_back(image: Image.Image) -> Image.Image:
        small = image.resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS)
        return small.resize(image.size, Image.Resampling.LANCZOS)

    return {
        "as it is": lambda image: image,
        **{f"JPEG {quality}": _saved("JPEG", quality) for quality in (90, 75, 60, 50)},
        **{f"WebP {quality}": _saved("WEBP", quality) for quality in (90, 75, 50)},
        "half and back": half_and_back,
        "crop of 8 pixels": lambda image: image.crop((8, 8, image.width, image.height)),
        "crop of 3 pixels": lambda image: image.crop((3, 3, image.width, image.height)),
    }


def measure(pictures: Iterator[Image.Image], count: int) -> dict[str, Figure]:
    """Return the figures; `count` is for the progress bar."""
    ways = changes()
    found, alarms, trials, noise = dict.fromkeys(ways, 0), 0, 0, []
    keys = [b"counterpoint", *(f"key {number}".encode() for number in range(KEYS_TRIED - 1))]
    for picture in track(pictures, "marking", total=count, console=Console(stderr=True), transient=True):
        marked = embed(picture)
        noise.append(_psnr(picture, marked))
        for name, change in ways.items():
            found[name] += detect(change(marked)) >= THRESHOLD
        sums = tile_sums(picture)
        alarms += sum(correlate(sums, key=key) >= THRESHOLD for key in keys)
        trials += len(keys)
    figures = {f"found, {name}": rate(number, len(noise)) for name, number in found.items()}
    figures["false alarms"] = rate(alarms, trials)
    figures["PSNR of the mark"] = _mean(noise, "dB")
    return figures


def _saved(file_format: str, quality: int) -> Callable[[Image.Image], Image.Image]:
    def change(image: Image.Image) -> Image.Image:
        buffer = io.BytesIO()
        image.save(buffer, format=file_format, quality=quality)
        return Image.open(buffer)

    return change


def _psnr(before: Image.Image, after: Image.Image) -> float:
    """Peak signal-to-noise ratio in dB: 10 log10(255^2 / mean square difference)."""
    difference = np.asarray(before, dtype=np.float64) - np.asarray(after, dtype=np.float64)
    return 10.0 * math.log10(255.0**2 / float(np.mean(difference**2)))


def _mean(values: list[float], unit: str) -> Figure:
    mean, spread = float(np.mean(values)), 1.96 * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return Figure(value=mean, low=mean - spread, high=mean + spread, n=len(values), unit=unit)


if __name__ == "__main__":
    main()
