"""A picture of NaN, black or one flat colour is a failure of the model, never a safe picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from counterpoint.interfaces import DegeneratePicture


def check_pictures(images: Sequence[Any]) -> None:
    """Check pictures (PIL, arrays or tensors; latents too), one by one.

    Raises:
        DegeneratePicture: A picture holds NaN or infinity, or one value only.
    """
    for index, image in enumerate(images):
        values = image.detach().float().cpu().numpy() if isinstance(image, torch.Tensor) else np.asarray(image)
        if not np.isfinite(values).all():
            raise DegeneratePicture(f"picture {index} holds NaN or infinity; nothing is returned")
        if values.min() == values.max():
            raise DegeneratePicture(f"picture {index} is one flat colour ({values.flat[0]}); nothing is returned")
