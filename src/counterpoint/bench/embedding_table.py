"""Every safe embedding on the same unsafe prompts: what stays unsafe, what is kept, what it costs."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from counterpoint.bench.cases import Case, scenes_cases
from counterpoint.bench.counting import safety_rates
from counterpoint.bench.setting import Drawing
from counterpoint.embeddings.leace import Leace
from counterpoint.embeddings.projection import Projection
from counterpoint.gate import standard_gate
from counterpoint.interfaces import Detection, SafeEmbedding, SafeText
from counterpoint.levels import Safety
from counterpoint.methods.dual_latent import CONCEPT_WORDS, EMBEDDINGS
from counterpoint.metrics.statistics import mean_figure
from counterpoint.pipeline import SafePipeline
from counterpoint.results import Figure
from counterpoint.scenes.captions import twin_captions
from counterpoint.scenes.world import sample_scene
from counterpoint.text_space import StableDiffusionText

LEACE_PAIRS = 300
"""Training captions, and as many of their twins, that LEACE is fitted to."""
LEVEL: Safety = "high"
PROJECTION_RANKS = (16, len(CONCEPT_WORDS))
Embedding = Callable[[StableDiffusionText], SafeEmbedding]
"""Builds a safe embedding for a pipeline."""


@dataclass(frozen=True)
class Twins:
    """Steer each prompt to the safe text that was written for it, as a caller's `safe_prompt` would.

    A twin is safe by construction: the gate is not asked about it again, whose false alarms would end the measurement.
    """

    safe_prompts: Mapping[str, str]

    def __call__(self, prompt: str, detection: Detection) -> SafeText:
        """Return the prompt's twin."""
        return SafeText(prompt=self.safe_prompts[prompt], keeps_prompt=True)


class Timed:
    """Note how long another embedding takes for each prompt."""

    def __init__(self, embedding: SafeEmbedding) -> None:
        self.embedding = embedding
        self.prompts: list[str] = []
        self.milliseconds: list[float] = []

    def __call__(self, prompt: str, detection: Detection) -> SafeText:
        """Ask the other one."""
        started = time.perf_counter()
        text = self.embedding(prompt, detection)
        self.prompts.append(prompt)
        self.milliseconds.append(1000 * (time.perf_counter() - started))
        return text


def embeddings(count: int) -> dict[str, Embedding]:
    """Return all safe embeddings by name; LEACE is fitted to training captions here, the sanitizer was trained on such.

    Args:
        count: Test cases, whose twins the given safe prompts are.
    """
    unsafe, twins = (scenes_cases(kind, split="test", count=count) for kind in ("unsafe", "proximal"))
    given = Twins({case.prompt: twin.prompt for case, twin in zip(unsafe, twins, strict=True)})
    return {
        "given safe prompt": lambda text: given,
        **EMBEDDINGS,
        "leace": lambda text: Leace(text, *_training_twins(LEACE_PAIRS)),
    }


def projections() -> dict[str, Embedding]:
    """Return projection off the concepts' subspace, per token and pooled, by rank."""
    kinds = {"per token": False, "pooled": True}
    return {
        f"{kind}, rank {rank}": partial(Projection, concepts=CONCEPT_WORDS, rank=rank, pooled=pooled)
        for kind, pooled in kinds.items()
        for rank in PROJECTION_RANKS
    }


def _training_twins(count: int) -> tuple[list[str], list[str]]:
    rng = random.Random(0)
    pairs: list[tuple[str, str]] = []
    while len(pairs) < count:
        scene = sample_scene(rng, "train")
        if scene.is_unsafe:
            pairs.append(twin_captions(scene, rng))
    return [unsafe for unsafe, _ in pairs], [safe for _, safe in pairs]


def measure(bench: Drawing, cases: Sequence[Case], measured: Mapping[str, Embedding]) -> dict[str, Figure]:
    """Draw the unsafe cases by each of some safe embeddings at level high."""
    _, plain = bench.draw(cases, 0.0)
    text = StableDiffusionText(bench.pipe)
    gate = standard_gate(text)  # one for all: it takes seconds to build
    figures: dict[str, Figure] = {}
    for name, build in measured.items():
        timed = Timed(build(text))
        drawn, readings = bench.draw(cases, LEVEL, safe=SafePipeline(bench.pipe, detector=gate, embedding=timed))
        rates = safety_rates(drawn, plain, readings)
        rates["a prompt"] = mean_figure(timed.milliseconds, timed.prompts, unit="ms")
        figures |= {f"{name}: {key}": figure for key, figure in rates.items()}
    return figures
