"""Further conditionings in each denoiser call, and a new answer for the prompt's row: guidance as a hook.

The pipeline forms eps = u + g (t - u) from the unconditional answer u and the prompt's t. Any guidance can be
written as another t:  u + g (t' - u) = u + g (t - u) + e  for  t' = t + e / g. So the hook lets the denoiser answer
further texts in the same call, B rows for each, and hands the pipeline [u | t'] of the size that it asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import Module

from counterpoint.engines.denoiser import arguments_of, one_call_at_a_time
from counterpoint.interfaces import SafetyFailure


class Combine(Protocol):
    """Says what the prompt's row answers in place of its own answer."""

    def __call__(self, step: int, uncond: Tensor, text: Tensor, extras: Sequence[Tensor]) -> Tensor:
        """Return t'; `step` counts the denoiser's calls from 0, all tensors are (B, C, H, W)."""
        ...


@contextmanager
def extra_rows(pipe: Any, embeds: Sequence[Tensor], combine: Combine) -> Iterator[None]:
    """Let the UNet answer `embeds`, too, in the block; on leaving it is as before.

    Args:
        pipe: A pipeline that is called with guidance, one picture a prompt; other threads wait for the block's end.
        embeds: K token embeddings, (1, L, D) for all pictures or (B, L, D).
        combine: Takes the K answers.

    Raises:
        SafetyFailure: The pipeline's calls are not [unconditional | prompts], or were none at all.
    """
    step = 0

    def widen(module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        arguments = arguments_of(module, args, kwargs)
        sample, hidden = arguments["sample"], arguments["encoder_hidden_states"]
        count, odd = divmod(len(sample), 2)
        if odd or len(hidden) != len(sample):
            raise SafetyFailure(f"the denoiser was called with {len(sample)} rows, not with two a picture")
        more = [part.to(hidden).expand(count, -1, -1) for part in embeds]
        arguments["sample"] = torch.cat([sample, *[sample[count:]] * len(more)])
        arguments["encoder_hidden_states"] = torch.cat([hidden, *more])
        return (), arguments

    def narrow(module: Module, args: tuple[Any, ...], output: Any) -> Any:
        nonlocal step
        uncond, text, *extras = output[0].chunk(2 + len(embeds))
        answer = torch.cat([uncond, combine(step, uncond, text, extras)])
        step += 1
        return (answer,) if isinstance(output, tuple) else type(output)(sample=answer)

    with one_call_at_a_time(pipe), ExitStack() as undo:
        undo.callback(pipe.unet.register_forward_pre_hook(widen, with_kwargs=True).remove)
        undo.callback(pipe.unet.register_forward_hook(narrow).remove)
        yield
        if step == 0:
            raise SafetyFailure("the denoiser was never called; nothing is returned")
