"""The pipeline as it is: what all methods are compared with.

Cost: 2 denoiser rows a step under guidance (the prompt's and the unconditional one), 1 without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from counterpoint.methods.drawing import check_call, draw
from counterpoint.methods.method import Method, MethodPicture


@dataclass(frozen=True, kw_only=True)
class Options:
    """There is nothing to set."""


class Plain:
    """Draw with the pipeline's own call, bit for bit."""

    def __init__(self, pipe: Any) -> None:
        self.pipe = pipe

    def __call__(
        self, prompts: Sequence[str], *, generators: Sequence[torch.Generator], **call: Any
    ) -> list[MethodPicture]:
        """Draw; see `Method`."""
        call = check_call(self.pipe, prompts, generators, call)
        return draw(self.pipe, prompts, generators, call, action="passed")

    def recipe(self) -> dict[str, Any]:
        """Name of the method; it has no settings."""
        return {"method": "plain"}


def build(pipe: Any, options: Options) -> Method:
    """Return the method."""
    return Plain(pipe)
