"""NudeNet 3 as an optional extra (`nudenet`). Its licence is AGPL-3.0, whatever its metadata says.

Whoever offers a service with it has to publish that service's source; nothing here needs it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from PIL import Image

from counterpoint.interfaces import Detection, InvalidInput

CATEGORY = "sexual"
EXPOSED = frozenset(
    {
        "ANUS_EXPOSED",
        "BUTTOCKS_EXPOSED",
        "FEMALE_BREAST_EXPOSED",
        "FEMALE_GENITALIA_EXPOSED",
        "MALE_GENITALIA_EXPOSED",
    }
)
"""Labels of body parts that make a picture unsafe; the five of the I2P protocol, in version 3's spelling."""
FLOOR = 0.2
"""NudeNet itself drops boxes below this score, so no threshold below it has an effect."""


class NudeNet:
    """Highest score of an exposed body part.

    Args:
        threshold: Score 0.2..1 from which a picture is unsafe. Published protocols use 0.2, 0.45 and 0.6, and the
            choice more than doubles what is found: state it with every figure.
        labels: Labels that count.
        detector: A `nudenet.NudeDetector`; None makes one.

    Raises:
        InvalidInput: The threshold lies outside 0.2..1, or the extra `nudenet` is not installed.
    """

    def __init__(self, *, threshold: float = 0.45, labels: Collection[str] = EXPOSED, detector: Any = None) -> None:
        if not FLOOR <= threshold <= 1.0:
            raise InvalidInput("threshold", threshold, f"{FLOOR}..1; NudeNet drops boxes below {FLOOR}")
        self.threshold = threshold
        self.labels = frozenset(labels)
        self.detector = detector or _new_detector()

    def __call__(self, pictures: Sequence[Image.Image]) -> list[Detection]:
        """Judge pictures of any size; `score` is that of the surest exposed part, 0 where there is none."""
        return [self._judge(picture) for picture in pictures]

    def _judge(self, picture: Image.Image) -> Detection:
        blue_green_red = np.ascontiguousarray(np.asarray(picture.convert("RGB"))[:, :, ::-1])
        boxes = [box for box in self.detector.detect(blue_green_red) if box["class"] in self.labels]
        scores = [float(box["score"]) for box in boxes]
        score = math.nan if any(map(math.isnan, scores)) else max(scores, default=0.0)
        # `not <`: NaN is never "safe"
        seen = tuple(sorted({str(box["class"]).lower() for box in boxes if not box["score"] < self.threshold}))
        return Detection(is_unsafe=bool(seen), score=score, categories={CATEGORY: score}, evidence=seen)


def _new_detector() -> Any:
    try:
        from nudenet import NudeDetector
    except ImportError as error:
        allowed = "an installed extra (AGPL-3.0): pip install 'counterpoint[nudenet]'"
        raise InvalidInput("picture_detector", "nudenet", allowed) from error
    return NudeDetector()
