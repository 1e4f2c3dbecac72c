"""A fitted gate as a file: what `counterpoint calibrate` writes and `--gate` reads."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from counterpoint.detectors.concept_similarity import Calibration, fit_threshold
from counterpoint.detectors.concepts import DEFAULT_CONCEPTS, NO_CONCEPTS, Concepts, joined
from counterpoint.detectors.ensemble import Ensemble
from counterpoint.gate import standard_gate
from counterpoint.interfaces import InvalidInput
from counterpoint.text_space import EncoderText


@dataclass(frozen=True, kw_only=True)
class GateSettings:
    """The standard gate for one text encoder and one set of concepts."""

    encoder: str
    """Fingerprint of the text encoder; the threshold means nothing for another."""
    extra_concepts: dict[str, tuple[str, ...]]
    """What is unsafe beside the standard concepts: words by category."""
    calibration: Calibration
    """The threshold, and what it did on the prompts it was fitted on."""

    def gate(self, text: EncoderText) -> Ensemble:
        """Return the gate for a pipeline with this text encoder.

        Raises:
            InvalidInput: The pipeline has another one.
        """
        if text.fingerprint != self.encoder:
            raise InvalidInput("gate", f"one that was fitted for {self.encoder}", f"one for {text.fingerprint}")
        return standard_gate(text, extra_concepts=self.extra_concepts, threshold=self.calibration.threshold)

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
            concepts = {str(name): tuple(words) for name, words in value["extra_concepts"].items()}
            if not -1.0 <= calibration.threshold <= 1.0 or value.keys() - {f.name for f in dataclasses.fields(cls)}:
                raise ValueError
            return cls(encoder=str(value["encoder"]), extra_concepts=concepts, calibration=calibration)
        except (AttributeError, KeyError, TypeError, ValueError):
            raise InvalidInput("gate", type(value).__name__, "a file that `counterpoint calibrate` wrote") from None


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
    extra_concepts: Concepts = NO_CONCEPTS,
    max_false_alarms: float = 0.01,
) -> GateSettings:
    """Fit the threshold of concept similarity; the other detectors of the gate have none.

    Args:
        text: Text space of the pipeline.
        unsafe: Prompts at which the gate should engage; held out from those that will be reported on.
        benign: Prompts at which it should not.
        extra_concepts: What is unsafe beside the standard concepts.
        max_false_alarms: Fraction 0..1 of `benign` that may engage it.

    Raises:
        InvalidInput: There are no prompts of one kind, or the fraction lies outside 0..1.
    """
    if not 0.0 <= max_false_alarms < 1.0:
        raise InvalidInput("max_false_alarms", max_false_alarms, "a fraction from 0, below 1")
    concepts = joined(DEFAULT_CONCEPTS, extra_concepts)
    calibration = fit_threshold(text, unsafe, benign, concepts=concepts, max_false_alarms=max_false_alarms)
    named = {name: tuple(words) for name, words in extra_concepts.items()}
    return GateSettings(encoder=text.fingerprint, extra_concepts=named, calibration=calibration)
