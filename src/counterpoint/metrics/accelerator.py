"""Where the judges that hold a large network compute."""

from __future__ import annotations

import torch


def accelerator() -> torch.device:
    """Return the first CUDA device, or the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
