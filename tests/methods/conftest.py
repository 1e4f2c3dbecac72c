"""A tiny pipeline that hears its text: what the methods change in it can be seen."""

from __future__ import annotations

from typing import Any

import pytest
import torch


@pytest.fixture
def loud_pipe(tiny_pipe: Any) -> Any:
    """A fresh tiny pipeline with strong cross-attention."""
    with torch.no_grad():
        for name, module in tiny_pipe.unet.named_modules():
            if name.endswith("attn2"):
                module.to_out[0].weight.mul_(30.0)
    return tiny_pipe
