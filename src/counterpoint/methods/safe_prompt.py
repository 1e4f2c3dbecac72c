"""Full replacement: the picture is drawn from the safe text alone, nothing of the prompt's own stream is kept.

    z_{i+1} = step(z_i, eps(z_i, s))        at every step: weight 1 and tau 0 of `dual_latent`

Not a published method, but the simplest one with the same knowledge as ours: it shows what the second stream
adds. By default it asks the gate, as ours does. Cost: 2 rows a step, as plain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from counterpoint.methods import dual_latent
from counterpoint.methods.method import Method


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is drawn in place of the prompt, and of which prompts."""

    embedding: str = "standard"
    """One of `dual_latent.EMBEDDINGS`."""
    safe_prompt: str | None = None
    """One safe text for all prompts, in place of `embedding`."""
    gate: Literal["as_is", "open"] = "as_is"
    """"open" replaces every prompt."""


def build(pipe: Any, options: Options) -> Method:
    """Return the method."""
    full = dual_latent.Options(
        safety="max", weight=1.0, tau=0.0, embedding=options.embedding, safe_prompt=options.safe_prompt,
        gate=options.gate,
    )  # fmt: skip
    return dual_latent.DualLatent(pipe, full, name="safe_prompt")
