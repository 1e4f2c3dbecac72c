"""What every method promises, so that one runner draws with all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from counterpoint.interfaces import Action, Cost


@dataclass(frozen=True, kw_only=True)
class MethodPicture:
    """One picture of one method, and what it took."""

    pixels: Tensor | None
    """RGB in [0, 1], (3, H, W), on the CPU; None where it was NaN, black or one flat colour: an error, never "safe"."""
    action: Action
    """What the method did: "passed" where it left the plain picture alone."""
    cost: Cost


class Method(Protocol):
    """Draws prompts with one model; must raise rather than fall back to the plain picture."""

    def __call__(
        self, prompts: Sequence[str], *, generators: Sequence[torch.Generator], **call: Any
    ) -> list[MethodPicture]:
        """Return one picture a prompt, in order; `call` holds the pipeline's own arguments.

        Args:
            prompts: B texts.
            generators: B generators: picture i is decided by generator i, whatever stands beside it.
            call: `num_inference_steps`, `guidance_scale`, `height`, ...
        """
        ...

    def recipe(self) -> dict[str, Any]:
        """JSON-able: the name and every setting that decides a picture, edited weights by their SHA-256."""
        ...
