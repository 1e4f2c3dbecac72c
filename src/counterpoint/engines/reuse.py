"""How often the fused engine runs the safe stream where the caller does not say."""

from __future__ import annotations

from typing import Any

from counterpoint.engines.caches import is_cached

MANY_STEPS = 20
"""Steps from which neighbouring steps are alike enough to share what the safe stream said more than the original."""


def default_reuse(pipe: Any, num_steps: int) -> int:
    """At every how many mixed steps the safe rows run: every second of `MANY_STEPS` steps or more, else each.

    `python -m counterpoint.bench.scenes cost` measures what that saves and what it takes away, on the embedded
    model at 25 steps. Nothing was measured on the long strides of few-step models, with solvers that take more than
    one step at a time, or with a cache on the denoiser: there 1, the method itself.

    Args:
        pipe: The pipeline that draws.
        num_steps: Denoising steps of the call, from 1.
    """
    is_plain = getattr(pipe.scheduler, "order", 1) == 1 and not is_cached(pipe)
    return 2 if is_plain and num_steps >= MANY_STEPS else 1
