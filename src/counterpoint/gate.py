"""The gate as it stands by default, and with concepts of your own.

    gate = standard_gate(StableDiffusionText(pipe), extra_concepts={"clowns": ["clown"]})
    safe = SafePipeline(pipe, detector=gate)

Similarity in the pipeline's own text encoder is the first opinion, as in the paper; the classifier, the
word list, the check that the prompt can be read at all, and the rule on minors have a say each.
"""

from __future__ import annotations

from functools import cache

from counterpoint.detectors.bert_text import quick_text
from counterpoint.detectors.concept_similarity import ConceptSimilarity
from counterpoint.detectors.concepts import DEFAULT_CONCEPTS, NO_CONCEPTS, Concepts
from counterpoint.detectors.ensemble import Ensemble
from counterpoint.detectors.minors import Minors
from counterpoint.detectors.prompt_classifier import PromptClassifier
from counterpoint.detectors.readability import Readability
from counterpoint.detectors.word_list import WordList
from counterpoint.interfaces import Detector, InvalidInput, Point
from counterpoint.text_space import EncoderText
from counterpoint.thresholds import threshold_for

STANDARD_POINT: Point = "balanced"
"""Working point of the classifier in the standard gate."""


def standard_gate(
    text: EncoderText,
    *,
    concepts: Concepts | None = None,
    extra_concepts: Concepts = NO_CONCEPTS,
    threshold: float | None = None,
    point: Point = STANDARD_POINT,
) -> Ensemble:
    """Return the gate for a pipeline.

    Args:
        text: The text space of the pipeline that is guarded.
        concepts: Unsafe words by category in place of the default ones; None takes these. The classifier and the rule
            on minors know harm by themselves, whatever the concepts are.
        extra_concepts: What is unsafe besides, words by category: {"clowns": ["clown"]}.
        threshold: Cosine, -1..1, from which words count as a concept; None takes the one that was fitted
            for this encoder and the default concepts, or fits it now; `gate_settings.fit_gate` fits it to others.
        point: The classifier's working point: "balanced" alarms on about one in ten harmless prompts of users, "steer"
            finds more and alarms on a third of them, "block" on next to none. See docs/detectors.md.

    Raises:
        InvalidInput: A concept is no word, or stands outside of a list; the threshold is no cosine; no such point.
    """
    cosine = threshold_for(text) if threshold is None else threshold
    named = DEFAULT_CONCEPTS if concepts is None else concepts
    first = ConceptSimilarity(quick_text(text), threshold=cosine, concepts=named, extra_concepts=extra_concepts)
    return with_second_opinions(first, concepts=named, extra_concepts=extra_concepts, point=point)


def with_second_opinions(
    detector: Detector,
    *,
    concepts: Concepts | None = None,
    extra_concepts: Concepts = NO_CONCEPTS,
    point: Point = STANDARD_POINT,
) -> Ensemble:
    """Return `detector` joined by those that do not depend on the pipeline; an Ensemble stays as it is.

    The word list takes the concepts: `concepts`, or the default ones where that is None, and `extra_concepts`.

    Raises:
        InvalidInput: An Ensemble, which has its detectors, is given concepts or a point; no such point.
    """
    if isinstance(detector, Ensemble):
        if concepts is not None or extra_concepts or point != STANDARD_POINT:
            raise InvalidInput("detector", "an Ensemble with concepts or a point", "those of its own detectors")
        return detector
    words = WordList(concepts=DEFAULT_CONCEPTS if concepts is None else concepts, extra_concepts=extra_concepts)
    classifier = [] if isinstance(detector, PromptClassifier) else [shared_classifier(point)]
    return Ensemble(Minors(), detector, words, *classifier, Readability())


def shared_classifier(point: Point) -> PromptClassifier:
    """Return the shipped classifier at a point; loaded once, as all pipelines of a process share it.

    Raises:
        InvalidInput: No such point.
    """
    return _shipped_classifier().at(point)


@cache
def _shipped_classifier() -> PromptClassifier:
    return PromptClassifier()
