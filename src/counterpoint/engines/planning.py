"""How the safe rows of one denoiser call are run: in the prompt's place, behind the call's rows, or in a call apart.

In the prompt's place where the safe row alone counts, which costs nothing. Behind the pipeline's own rows where
that makes a small batch and no harmless picture is in it, whose result a larger batch would change in the last bit.
Else in a call of their own; where attention takes the batch apart (PAG), with all rows of their pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from counterpoint.engines.conditioning import Conditioning, Match
from counterpoint.engines.denoiser import num_rows, sample_of

JOINED_ROWS = 8
"""Rows up to which a call takes the safe rows along: beyond, that saves no time, and it costs memory."""
JOINED_SIZE = 2**18
"""Numbers of latents, all rows together, up to which a call takes the safe rows along: four rows of Stable Diffusion XL
at 1024 pixels. A large model that just fits in memory is not asked for a larger call: a picture of FLUX at that size is
as large by itself, a video larger."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one call of the denoiser has to be told, and what is mixed into its answer."""

    found: list[Match]
    """The rows to mix; none where the call's answer is the mix already."""
    arguments: dict[str, Any] | None = None
    """What the call is told in place of its own arguments; None leaves them."""
    own_rows: int = 0
    """Rows of the pipeline's own call, where the safe ones run behind them; else 0."""
    places: Sequence[int] = ()
    """Where the safe rows stand in the call that runs them; empty where what is known from an earlier step serves."""
    safe_arguments: dict[str, Any] | None = None
    """A call of their own; None where they run in the pipeline's."""
    extra: Sequence[int] = ()
    """The picture of each row that runs besides the pipeline's own."""


def in_place(conditioning: Conditioning, arguments: dict[str, Any], found: list[Match]) -> Plan | None:
    """Return the plan in which the safe rows take the prompt's place; None where the two cannot share a call."""
    swapped = conditioning.safe_in_place(arguments, found)
    return None if swapped is None else Plan(found=[], arguments=swapped)


def _size(arguments: dict[str, Any], rows: int) -> int:
    """Return how many numbers the latents of so many rows hold."""
    return rows * int(sample_of(arguments)[0].numel())


def overheard(conditioning: Conditioning, arguments: dict[str, Any], found: list[Match]) -> Plan:
    """Return the plan for rows that are told the same in both streams, but for a ControlNet's answers."""
    same = conditioning.same_rows(arguments, found)
    images = [match.image for match in found]
    return Plan(found=found, places=range(len(found)), safe_arguments=same, extra=images)


def beside(
    conditioning: Conditioning, arguments: dict[str, Any], found: list[Match], *, splits: bool, may_join: bool
) -> Plan:
    """Return the plan in which the safe rows run beside the prompt's.

    Args:
        conditioning: Of both streams.
        arguments: Of the pipeline's own call, by name.
        found: The rows to mix.
        splits: Whether attention takes the batch apart, see `splits_its_batch`.
        may_join: Whether the safe rows may stand in the pipeline's own call.

    Raises:
        SafetyFailure: Attention needs the whole batch, and the safe conditioning does not fit into it.
    """
    own_rows = num_rows(arguments)
    if splits:
        whole, rows = conditioning.whole_batch(arguments, found)
        places = [rows.index(match.row) for match in found]
        extra = [row % conditioning.num_images for row in rows]
        return Plan(found=found, places=places, safe_arguments=whole, extra=extra)
    images = [match.image for match in found]
    if may_join and own_rows + len(found) <= JOINED_ROWS and _size(arguments, own_rows + len(found)) <= JOINED_SIZE:
        joined = conditioning.joined(arguments, found)
        if joined is not None:
            places = list(range(own_rows, own_rows + len(found)))
            return Plan(found=found, places=places, arguments=joined, own_rows=own_rows, extra=images)
    safe = conditioning.safe_rows(arguments, found)
    return Plan(found=found, places=range(len(found)), safe_arguments=safe, extra=images)
