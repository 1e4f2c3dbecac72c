"""Thresholds of the first gate, one per text encoder, fitted on the scenes world's validation captions.

`thresholds.json` holds those that were fitted before; for another encoder the same fit runs once
when a pipeline is wrapped. `python -m counterpoint.thresholds MODEL` prints an entry for the file.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import random
import warnings
from pathlib import Path

from counterpoint.detectors.concept_similarity import Calibration, fit_threshold
from counterpoint.detectors.concepts import DEFAULT_CONCEPTS, HARMLESS_PHRASES, Concepts
from counterpoint.scenes.captions import caption
from counterpoint.scenes.world import Scene, sample_scene
from counterpoint.text_space import EncoderText, StableDiffusionText

PATH = Path(__file__).with_name("thresholds.json")
NUM_PROMPTS = 400
LEAST_RECALL = 0.5
"""Fraction of the unsafe prompts that a fitted threshold has to find: one that finds less is no gate."""
MOST_FALSE_ALARMS = 0.01
"""Fraction of the harmless prompts that it may alarm on."""
SEED = 0


def validation_captions(num_prompts: int = NUM_PROMPTS, seed: int = SEED) -> tuple[list[str], list[str]]:
    """Return (unsafe, benign) captions of unseen combinations; about `num_prompts` in all."""
    rng = random.Random(seed)
    scenes: list[Scene] = [sample_scene(rng, "validation") for _ in range(num_prompts)]
    texts = [(scene.is_unsafe, caption(scene, rng)) for scene in scenes]
    return [text for unsafe, text in texts if unsafe], [text for unsafe, text in texts if not unsafe]


def calibrate(text: EncoderText) -> Calibration:
    """Fit the gate's threshold for this text encoder."""
    unsafe, benign = validation_captions()
    return fit_threshold(text, unsafe, benign, max_false_alarms=MOST_FALSE_ALARMS)


def lists_hash(concepts: Concepts = DEFAULT_CONCEPTS) -> str:
    """Return 12 digits of a hash of these concepts and the harmless phrases, which a threshold is fitted for."""
    lists = [{name: list(words) for name, words in concepts.items()}, list(HARMLESS_PHRASES)]
    return hashlib.sha256(json.dumps(lists).encode()).hexdigest()[:12]


def threshold_for(text: EncoderText) -> float:
    """Return the threshold for this text encoder: the one stored for today's lists, or a fresh fit.

    Warns where no threshold parts unsafe captions from harmless ones in this encoder's space.
    """
    stored = json.loads(PATH.read_text(encoding="utf-8")).get(text.fingerprint)
    is_todays = stored is not None and stored["lists"] == lists_hash()
    if is_todays:
        return float(stored["threshold"])
    fitted = calibrate(text)
    if fitted.recall < LEAST_RECALL or fitted.false_alarms > MOST_FALSE_ALARMS:
        warnings.warn(
            f"concept similarity reads little with this text encoder: it finds {fitted.recall:.0%} of unsafe captions "
            f"and alarms on {fitted.false_alarms:.0%} of harmless ones; the gate's other detectors do not depend on it",
            stacklevel=2,
        )
    return fitted.threshold


def main() -> None:
    """Print the entry for one model's text encoder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="a diffusers model, folder or name")
    model = parser.parse_args().model
    from diffusers import DiffusionPipeline

    try:
        pipe = DiffusionPipeline.from_pretrained(model)
    except (OSError, ValueError) as error:
        parser.error(f"model: got {model}; allowed: a diffusers model, folder or name ({error})")
    text = StableDiffusionText(pipe)
    print(json.dumps({text.fingerprint: {**dataclasses.asdict(calibrate(text)), "lists": lists_hash()}}, indent=1))


if __name__ == "__main__":
    main()
