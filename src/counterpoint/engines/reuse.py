"""How often the fused engine runs the safe stream where the caller does not say."""

from __future__ import annotations

MANY_STEPS = 20
"""Steps from which neighbouring steps are alike enough to share what the safe stream said more than the original."""


def default_reuse(num_steps: int) -> int:
    """At every how many mixed steps the safe rows run: every second of `MANY_STEPS` steps or more, else each.

    `python -m counterpoint.bench.scenes cost` measures what that saves and what it takes away, on the embedded
    model at 25 steps. Few-step models take long strides, on which nothing was measured: there 1, the method itself.

    Args:
        num_steps: Denoising steps of the call, from 1.
    """
    return 2 if num_steps >= MANY_STEPS else 1
