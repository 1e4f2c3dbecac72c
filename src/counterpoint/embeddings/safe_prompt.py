"""The safe prompt is the one that the caller wrote."""

from __future__ import annotations

from dataclasses import dataclass

from counterpoint.interfaces import Detection, SafeText


@dataclass(frozen=True)
class SafePrompt:
    """Steer every engaged prompt to one text."""

    safe_prompt: str

    def __call__(self, prompt: str, detection: Detection) -> SafeText:
        """Return the caller's text."""
        return SafeText(prompt=self.safe_prompt)
