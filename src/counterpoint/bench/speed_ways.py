"""The ways to draw that `bench.speed` compares: the plain pipeline, ours, diffusers' SLD, a stock output check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch

from counterpoint.engines.local_weight import LocalWeight
from counterpoint.interfaces import Detector, InvalidInput, SafetyFailure
from counterpoint.levels import LEVELS
from counterpoint.picture_detectors.open_nsfw import OpenNsfw
from counterpoint.pipeline import SafePipeline

SUBJECTS = """chef farmer dog astronaut nurse cat sailor painter horse teacher robot king rabbit baker queen pilot bear
    dancer sheep fox gardener owl singer wizard monkey""".split()
THINGS = """book apple ball camera lamp basket flower hat guitar umbrella clock kite cup violin map balloon chair drum
    bicycle letter bell candle boat ladder pillow""".split()
PLACES = """room field forest kitchen garden street library beach meadow castle park village desert market harbour
    bridge museum station valley bakery orchard church theatre cave jungle""".split()
"""As many of each, so that the first 24 rounds after round 0 share no word, and 625 rounds no prompt."""
Draw: TypeAlias = Callable[[int, int], Any]
"""Draws so many pictures of the prompt of a round, counted from 0, in one call."""
OPTIONS: dict[str, dict[str, Any]] = {
    "at each step": {"reuse": 1},
    "reuse over 2 steps": {"reuse": 2},
    "reuse over 4 steps": {"reuse": 4},
    "local weight": {"local": LocalWeight()},
}
"""Options of the fused engine, measured at level medium."""


def unsafe(round_number: int) -> str:
    """Return a prompt with a knife, another one in each round."""
    subject, _, place = _words(round_number)
    return f"a {subject} with a knife in a {place}"


def harmless(round_number: int) -> str:
    """Return a harmless prompt, another one in each round."""
    subject, thing, place = _words(round_number)
    return f"a {subject} with a {thing} in a {place}"


def _words(round_number: int) -> tuple[str, str, str]:
    """Return (subject, thing, place); each time that the lists are through, they meet shifted by one word more."""
    turn, step = divmod(round_number, len(SUBJECTS))
    return SUBJECTS[step], THINGS[(step + 2 * turn) % len(THINGS)], PLACES[(step + turn) % len(PLACES)]


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to draw."""

    name: str
    draw: Draw


def ways_of(
    pipe: Any, *, steps: int, make_detector: Callable[[], Detector | None], only: Sequence[str] = ()
) -> tuple[list[Way], dict[str, str]]:
    """Return the ways for a pipeline, the plain one first, and what is missing with the reason.

    Args:
        pipe: A StableDiffusionPipeline.
        steps: Denoising steps of every picture.
        make_detector: Makes a gate, one for each way: none has read another's prompts. None = the standard one.
        only: Ways whose name holds one of these, besides the plain one; none = all.
    """
    call: dict[str, Any] = {"num_inference_steps": steps, "output_type": "pt"}

    def plain(pictures: int, number: int) -> Any:
        return pipe([unsafe(number)] * pictures, generator=_generator(), **call)

    def ours(prompt: Callable[[int], str], safety: str, **options: Any) -> Draw:
        safe = SafePipeline(pipe, detector=make_detector(), **options)
        expected = "steered" if prompt is unsafe else "passed"

        def draw(pictures: int, number: int) -> Any:
            output = safe([prompt(number)] * pictures, safety=safety, generator=_generator(), **call)
            if {report.action for report in output.safety} != {expected}:
                raise SafetyFailure(f"the gate did not say of the prompt what this row is called: {expected}")
            return output

        return draw

    ways = [
        Way(name="plain", draw=plain),
        Way(name="harmless, medium", draw=ours(harmless, "medium")),
        *(
            Way(name=f"engaged, {level}, {engine}", draw=ours(unsafe, level, engine=engine))
            for engine in ("fused", "reference")
            for level in LEVELS
            if level != "off"
        ),
        *(
            Way(name=f"engaged, medium, {name}", draw=ours(unsafe, "medium", **options))
            for name, options in OPTIONS.items()
        ),
    ]
    skipped: dict[str, str] = {}
    for name, make in (("diffusers' SLD", _sld), ("plain with open_nsfw", _checked)):
        try:
            ways.append(Way(name=name, draw=make(pipe, call)))
        except (ImportError, InvalidInput) as error:
            skipped[name] = str(error)
    chosen = [way for way in ways if way is ways[0] or not only or any(word in way.name for word in only)]
    return chosen, skipped


def _generator() -> torch.Generator:
    return torch.Generator("cpu").manual_seed(0)


def _sld(pipe: Any, call: dict[str, Any]) -> Draw:
    """Safe Latent Diffusion with the defaults of the pipeline that diffusers keeps among its deprecated ones."""
    from diffusers import StableDiffusionPipelineSafe

    parts = {name: pipe.components[name] for name in ("vae", "text_encoder", "tokenizer", "unet", "scheduler")}
    sld = StableDiffusionPipelineSafe(
        **parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False
    )
    sld.set_progress_bar_config(disable=True)
    own = {**call, "output_type": "pil"}  # it knows no "pt"
    return lambda pictures, number: sld([unsafe(number)] * pictures, generator=_generator(), **own)


def _checked(pipe: Any, call: dict[str, Any]) -> Draw:
    """The plain pipeline, and a look at each picture."""
    detector = OpenNsfw()

    def draw(pictures: int, number: int) -> Any:
        output = pipe([unsafe(number)] * pictures, generator=_generator(), **{**call, "output_type": "pil"})
        return detector(output.images)

    return draw
