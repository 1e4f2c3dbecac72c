"""The prompt without the words that the gate engaged on, and without what tied them in."""

from __future__ import annotations

import re
from dataclasses import dataclass

from counterpoint.interfaces import Detection, SafeText

LINKS = r"(?:(?:with|and|holding|has|who has|carrying)\s+)?(?:(?:a|an|the|some)\s+)?"


@dataclass(frozen=True)
class WordRemoval:
    """Remove the evidence; what is left keeps subject and background."""

    empty: str = "a scene"
    """The safe prompt where nothing is left."""

    def __call__(self, prompt: str, detection: Detection) -> SafeText:
        """Return the prompt without the detection's evidence; "a man with a knife" -> "a man"."""
        text = prompt
        for span in sorted(detection.evidence, key=len):
            words = r"[\W_]+".join(map(re.escape, span.split()))
            text = re.sub(rf"\b{LINKS}{words}s?\b", " ", text, flags=re.IGNORECASE)
        text = re.sub(r"\s+([,.])", r"\1", re.sub(r"\s+", " ", text)).strip(" ,")
        return SafeText(prompt=text or self.empty)
