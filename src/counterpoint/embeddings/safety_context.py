"""The prompt itself, followed by a text that says the picture is harmless."""

from __future__ import annotations

from dataclasses import dataclass

from counterpoint.interfaces import Detection, SafeText


@dataclass(frozen=True)
class SafetyContext:
    """Add a safety context to the prompt; for encoders that know such words (not the scenes world)."""

    context: str = "safe, peaceful, harmless, suitable for everyone"

    def __call__(self, prompt: str, detection: Detection) -> SafeText:
        """Return "<prompt>, <context>"."""
        return SafeText(prompt=f"{prompt}, {self.context}", keeps_prompt=True)
