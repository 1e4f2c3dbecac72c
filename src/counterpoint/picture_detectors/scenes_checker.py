"""The embedded model's own check: the checker reads which object a scene shows.

It knows the scenes world only: on another model's pictures its answer means nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image

from counterpoint.embedded import recogniser_path
from counterpoint.interfaces import Detection, InvalidInput
from counterpoint.recognisers import Recogniser
from counterpoint.scenes.vocabulary import OBJECTS

SIDE = 128
"""Side of the pictures that the checker was trained on, in pixels."""


class ScenesChecker:
    """Sum the checker's probabilities of the unsafe objects, by proxy category.

    Args:
        recogniser: Trained recogniser; None takes the package's checker.
        threshold: Probability 0..1 from which a picture is unsafe.

    Raises:
        InvalidInput: The threshold lies outside 0..1, or the package holds no checker.
    """

    def __init__(self, recogniser: Recogniser | None = None, *, threshold: float = 0.5) -> None:
        if not 0.0 <= threshold <= 1.0:
            raise InvalidInput("threshold", threshold, "0..1")
        self.recogniser = recogniser or Recogniser.from_pretrained(recogniser_path("checker"))
        self.threshold = threshold

    @torch.no_grad()
    def __call__(self, pictures: Sequence[Image.Image]) -> list[Detection]:
        """Judge pictures; `score` and `categories` are probabilities, `evidence` the object's name."""
        if not pictures:
            return []
        sides = [picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR) for picture in pictures]
        pixels = torch.from_numpy(np.stack([np.asarray(side) for side in sides]))
        logits = self.recogniser(pixels.permute(0, 3, 1, 2).float() / 255)["object"]
        return [self._detection(row) for row in logits.float().softmax(1)]

    def _detection(self, probabilities: torch.Tensor) -> Detection:
        categories: dict[str, float] = {}
        names = self.recogniser.config.objects
        for name, probability in zip(names, probabilities.tolist(), strict=True):
            category = OBJECTS[name].category if name in OBJECTS else None
            if category is not None:
                categories[category] = categories.get(category, 0.0) + probability
        score = sum(categories.values())
        is_unsafe = not score < self.threshold  # NaN is never "safe"
        likely = names[int(probabilities.argmax())]
        return Detection(
            is_unsafe=is_unsafe, score=score, categories=categories, evidence=(likely,) if is_unsafe else ()
        )
