"""What a pipeline's call puts back at its end, put back also where the call is left by an exception."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from counterpoint.engines.denoiser import denoisers


@contextmanager
def as_found(pipe: Any) -> Iterator[None]:
    """Leave the pipeline as it was found, whatever happens in the block.

    For the time of a call PAG swaps the denoisers' attention processors, caches hold the call's features, and
    offloaded parts sit on the device. The pipeline undoes that in its last lines, which an exception skips: the next
    picture, a harmless one too, would be another one.
    """
    networks: list[Any] = [module for module in denoisers(pipe) if hasattr(module, "attn_processors")]
    found = [(network, dict(network.attn_processors)) for network in networks]
    try:
        yield
    except BaseException:
        pipe.maybe_free_model_hooks()  # resets caches, too
        raise
    finally:
        for network, processors in found:
            if network.attn_processors != processors:
                network.set_attn_processor(dict(processors))  # a copy: diffusers empties what it is given
