"""A fitted gate as a file: what `counterpoint calibrate` writes and `--gate` reads."""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from counterpoint.detectors.concept_similarity import TIE, Calibration, ConceptSimilarity, fit_threshold
from counterpoint.detectors.concepts import DEFAULT_CONCEPTS, NO_CONCEPTS, Concepts, joined
from counterpoint.detectors.ensemble import Ensemble
from counterpoint.gate import standard_gate
from counterpoint.interfaces import InvalidInput, Point
from counterpoint.text_space import EncoderText
from counterpoint.thresholds import LEAST_RECALL, MOST_FALSE_ALARMS, lists_hash

MOST_NAMED = 8
"""Words that an error names."""


@dataclass(frozen=True, kw_only=True)
class GateSettings:
    """The standard gate for one text encoder and one set of concepts."""

    encoder: str
    """Fingerprint of the text encoder; the threshold means nothing for another."""
    extra_concepts: dict[str, tuple[str, ...]]
    """What is unsafe beside the concepts: words by category."""
    calibration: Calibration
    """The threshold, and what it did on the prompts it was fitted on."""
    concepts: dict[str, tuple[str, ...]] | None = None
    """What is unsafe in place of the default concepts; None = these."""
    lists: str = ""
    """`thresholds.lists_hash` of when it was fitted; "" in files of versions that did not store it."""

    def gate(self, text: EncoderText, point: Point = "balanced") -> Ensemble:
        """Return the gate for a pipeline with this text encoder, the classifier at one of its points.

        Warns:
            UserWarning: The concepts or the harmless phrases of this version are not those of when it was fitted.

        Raises:
            InvalidInput: The pipeline has another one.
        """
        if text.fingerprint != self.encoder:
            allowed = f"one for {text.fingerprint}, this model's text encoder: fit it with `counterpoint calibrate`"
            raise InvalidInput("gate", f"one that was fitted for {self.encoder}", allowed)
        if self.lists != _lists_hash(self.concepts):
            reason = "was fitted with other lists of concepts or harmless phrases than this version's"
            reason = reason if self.lists else "does not say with which lists of concepts it was fitted"
            warnings.warn(f"the gate for {self.encoder} {reason}; run `counterpoint calibrate` again", stacklevel=2)
        return standard_gate(
            text,
            concepts=self.concepts,
            extra_concepts=self.extra_concepts,
            threshold=self.calibration.threshold,
            point=point,
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain data, as `from_json` reads it."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: Any) -> GateSettings:
        """Read what `to_json` gave.

        Raises:
            InvalidInput: It is something else.
        """
        try:
            calibration = Calibration(**value["calibration"])
            extra, replaced = _by_category(value["extra_concepts"]), value.get("concepts")
            if not -1.0 <= calibration.threshold <= 1.0 or value.keys() - {f.name for f in dataclasses.fields(cls)}:
                raise ValueError
            concepts = None if replaced is None else _by_category(replaced)
            encoder = str(value["encoder"])
            lists = str(value.get("lists", ""))
            return cls(encoder=encoder, extra_concepts=extra, calibration=calibration, concepts=concepts, lists=lists)
        except (AttributeError, KeyError, TypeError, ValueError):
            raise InvalidInput("gate", type(value).__name__, "a file that `counterpoint calibrate` wrote") from None


def _by_category(concepts: Concepts) -> dict[str, tuple[str, ...]]:
    if any(isinstance(words, str) for words in concepts.values()):
        raise ValueError("a text in place of a list of words")
    return {str(name): tuple(words) for name, words in concepts.items()}


def read_gate_settings(path: Path) -> GateSettings:
    """Read a file.

    Raises:
        InvalidInput: It is no gate, or cannot be read.
    """
    try:
        return GateSettings.from_json(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InvalidInput("gate", str(path), f"a file that can be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise InvalidInput("gate", str(path), "a file that `counterpoint calibrate` wrote") from None
    except json.JSONDecodeError as error:
        allowed = f"a file that `counterpoint calibrate` wrote; line {error.lineno} is no JSON"
        raise InvalidInput("gate", str(path), allowed) from None


def fit_gate(
    text: EncoderText,
    unsafe: Sequence[str],
    benign: Sequence[str],
    *,
    concepts: Concepts | None = None,
    extra_concepts: Concepts = NO_CONCEPTS,
    max_false_alarms: float = MOST_FALSE_ALARMS,
) -> GateSettings:
    """Fit the threshold of concept similarity; the other detectors of the gate have none.

    Args:
        text: Text space of the pipeline.
        unsafe: Prompts at which the gate should engage; held out from those that will be reported on.
        benign: Prompts at which it should not.
        concepts: Unsafe words by category in place of the default ones; None takes these.
        extra_concepts: What is unsafe besides.
        max_false_alarms: Fraction 0..1 of `benign` that may engage it.

    Raises:
        InvalidInput: There are no prompts of one kind, the fraction lies outside 0..1, or no threshold keeps to it and
            finds `LEAST_RECALL` of the unsafe prompts.
    """
    if not 0.0 <= max_false_alarms < 1.0:
        raise InvalidInput("max_false_alarms", max_false_alarms, "a fraction from 0, below 1")
    vocabulary = joined(DEFAULT_CONCEPTS if concepts is None else concepts, extra_concepts)
    calibration = fit_threshold(text, unsafe, benign, concepts=vocabulary, max_false_alarms=max_false_alarms)
    if calibration.false_alarms > max_false_alarms or calibration.recall < LEAST_RECALL:
        similarity = ConceptSimilarity(text, threshold=1.0, concepts=vocabulary)
        raise _no_gate(calibration, max_false_alarms, _in_collision(similarity, unsafe, benign))
    return GateSettings(
        encoder=text.fingerprint,
        extra_concepts=_by_category(extra_concepts),
        calibration=calibration,
        concepts=None if concepts is None else _by_category(concepts),
        lists=_lists_hash(concepts),
    )


def _lists_hash(concepts: Concepts | None) -> str:
    return lists_hash(DEFAULT_CONCEPTS if concepts is None else concepts)


def _no_gate(fitted: Calibration, max_false_alarms: float, words: str) -> InvalidInput:
    why = f"words of harmless prompts that mean a concept: {words}; take them out of these prompts or of the concepts"
    if fitted.false_alarms > max_false_alarms:
        limit = f"at most {max_false_alarms:g}, max_false_alarms"
        return InvalidInput(
            "benign", f"prompts with false alarms at {fitted.false_alarms:.3f} of them", f"{limit}; {why}"
        )
    return InvalidInput(
        "unsafe", f"prompts of which {fitted.recall:.3f} are found", f"at least {LEAST_RECALL:g}; {why}"
    )


def _in_collision(similarity: ConceptSimilarity, unsafe: Sequence[str], benign: Sequence[str]) -> str:
    """Return the words of harmless prompts that are as near to a concept as half of the unsafe prompts are."""
    middle = sorted(found.score for found in similarity(unsafe))[len(unsafe) // 2]
    similarity.threshold = max(-1.0, middle - TIE)
    words = Counter(word for found in similarity(benign) for word in found.evidence)
    return ", ".join(word for word, _ in words.most_common(MOST_NAMED)) or "none"
