"""The prompt without the words that the gate engaged on, and without what tied them in."""

from __future__ import annotations

from dataclasses import dataclass

from counterpoint.embeddings.noun_phrase import HEADLESS, removed
from counterpoint.interfaces import Detection, SafeText
from counterpoint.normalise import normalise, single_spaces
from counterpoint.normalise.weights import unbracketed


@dataclass(frozen=True)
class WordRemoval:
    """Remove the evidence; what is left keeps subject and background."""

    empty: str = "a scene"
    """The safe prompt where nothing is left, and the subject of one that has lost its own: "a scene on a table"."""

    def __call__(self, prompt: str, detection: Detection) -> SafeText:
        """Return the prompt without the detection's evidence; "a man with a knife" -> "a man".

        Raises:
            ValueError: The detection names no words, or words that the prompt does not hold as they
                are written: what is left could still be unsafe.
        """
        if not detection.evidence:
            raise ValueError("the gate names no words to remove; give a safe_prompt or another safe embedding")
        given = single_spaces(unbracketed(normalise(prompt)))  # else a weight parts a word from its ties
        text = removed(given, detection.evidence, stand_in=self.empty.rpartition(" ")[2])
        if HEADLESS.match(text) and not HEADLESS.match(given):
            text = f"{self.empty} {text}"
        return SafeText(prompt=text or self.empty)
