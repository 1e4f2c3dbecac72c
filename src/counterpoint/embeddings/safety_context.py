"""The prompt itself, followed by a text that says the picture is harmless."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from counterpoint.interfaces import Detection, SafeText


@dataclass(frozen=True)
class SafetyContext:
    """Add a safety context to the prompt; for encoders that know such words (not the scenes world)."""

    context: str = "safe, peaceful, harmless, suitable for everyone"

    keeps_prompt: ClassVar[bool] = True
    """The safe text holds the prompt's own words by design, so the gate is not asked about it."""

    def __call__(self, prompt: str, detection: Detection) -> SafeText:
        """Return "<prompt>, <context>"."""
        return SafeText(prompt=f"{prompt}, {self.context}")
