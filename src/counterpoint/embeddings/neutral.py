"""Nothing of the prompt: what the safe stream is told where no other safe embedding knows better."""

from __future__ import annotations

from dataclasses import dataclass

from counterpoint.interfaces import Detection, SafeText


@dataclass(frozen=True)
class Neutral:
    """Say the same harmless text whatever the prompt; the picture's context is left to the original stream."""

    prompt: str = "a scene"

    def __call__(self, prompt: str, detection: Detection) -> SafeText:
        """Return the text."""
        return SafeText(prompt=self.prompt)
