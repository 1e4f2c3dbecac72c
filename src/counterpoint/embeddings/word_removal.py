"""The prompt without the words that the gate engaged on, and without what tied them in."""

from __future__ import annotations

import re
from dataclasses import dataclass

from counterpoint.interfaces import Detection, SafeText
from counterpoint.normalise import normalise, single_spaces
from counterpoint.normalise.weights import unbracketed

TIES = r"(?:with|and|holding|has|who has|carrying|next to|near|beside)"
LINKS = rf"(?:{TIES}\s+)?(?:(?:a|an|the|some)\s+)?"
"""What ties a thing to what stands before it."""
DESCRIBED = rf"{TIES}\s+(?:a|an|the)\s+[\w-]+\s+"
"""What ties a described thing: "with a sharp" of "with a sharp blade"."""
ENDS = r"(?=\s*(?:$|[,.;])|\s+(?:in|on|at|under|by|near|with|and|beside|next|from|against)\b)"
"""The thing ends its phrase: what describes it describes nothing else. "A happy nude woman" keeps "a happy woman"."""
TAIL = r"(?:\s+(?:next to|near|beside|and)\b)?"
"""What ties it to what stands after it, where nothing stands before it."""


@dataclass(frozen=True)
class WordRemoval:
    """Remove the evidence; what is left keeps subject and background."""

    empty: str = "a scene"
    """The safe prompt where nothing is left."""

    def __call__(self, prompt: str, detection: Detection) -> SafeText:
        """Return the prompt without the detection's evidence; "a man with a knife" -> "a man".

        Raises:
            ValueError: The detection names no words, or words that the prompt does not hold as they
                are written: what is left could still be unsafe.
        """
        if not detection.evidence:
            raise ValueError("the gate names no words to remove; give a safe_prompt or another safe embedding")
        given = text = single_spaces(unbracketed(normalise(prompt)))  # else a weight parts a word from its ties
        for span in sorted(detection.evidence, key=len, reverse=True):
            words = r"[\W_]+".join(map(re.escape, span.split()))
            word = rf"{words}s?(?!\w)"
            pattern = rf"(?:^\s*{LINKS}{word}{TAIL})|(?<!\w)(?:{DESCRIBED}{word}{ENDS}|{LINKS}{word})"
            text = re.sub(pattern, " ", text, flags=re.IGNORECASE)
            if not re.search(pattern, given, flags=re.IGNORECASE):  # gone with a longer span is as good
                raise ValueError(f"the words {span!r} could not be removed; give a safe_prompt")
        text = re.sub(r"\s+([,.])", r"\1", re.sub(r"\s+", " ", text)).strip(" ,")
        return SafeText(prompt=text or self.empty)
