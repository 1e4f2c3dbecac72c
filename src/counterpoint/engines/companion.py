"""A ControlNet in a mixed call: it hears the prompt as the denoiser does, so the safe rows need answers of their own.

Before each denoiser call the pipeline asks the ControlNet, and hands its answers (residuals) on. Told the
prompt only, it would draw the unsafe thing into the safe rows. So where a safe row takes the prompt's place
in the denoiser, it does here too; and where it runs beside, the ControlNet is asked once more for the safe
rows alone, at the time the denoiser is: with reuse no oftener than that. Qwen-Image, and FLUX with true guidance,
hand the answers to the prompt on to the negative prompt's call as well: then that call is mixed, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor
from torch.nn import Module

from counterpoint.engines.conditioning import RESIDUALS, Conditioning, Match, Path, leaves, rebuild
from counterpoint.engines.denoiser import num_rows, uncompiled
from counterpoint.engines.prediction import with_rows
from counterpoint.interfaces import SafetyFailure


class Companion:
    """The ControlNet's part of one call.

    Args:
        recorded: Its first call on the safe prompts, by the network.
        num_images: Pictures of the call, M.
        engaged: Indices of the engaged pictures, ascending.
    """

    def __init__(self, recorded: dict[Module, dict[str, Any]], num_images: int, engaged: Sequence[int]) -> None:
        self.recorded, self.num_images, self.engaged = recorded, num_images, engaged
        self._conditioning: dict[Module, Conditioning] = {}
        self._safe_call: tuple[Module, dict[str, Any]] | None = None
        self._answers: list[Tensor] | None = None  # to that call, once it was made
        self._found: list[Match] = []
        self._num_rows = 0
        self._is_told = False  # whether the answers in hand may be used in the safe rows' place

    @property
    def waits(self) -> bool:
        """Whether the safe rows still have to be asked for."""
        return self._safe_call is not None

    def before(self, module: Module, arguments: dict[str, Any], *, mixes: bool, whole: bool) -> dict[str, Any] | None:
        """Take note of a call of the ControlNet; return the arguments with the safe rows in place, or None to leave it.

        Args:
            module: The ControlNet.
            arguments: Of its call, by name.
            mixes: Whether this step mixes.
            whole: Whether the safe row counts alone, so that the prompt's need not be answered.

        Raises:
            SafetyFailure: It was not asked on the safe prompts.
        """
        network = uncompiled(module)
        if network not in self._conditioning:
            if network not in self.recorded:
                raise SafetyFailure("the ControlNet was not asked on the safe prompt; nothing is drawn")
            self._conditioning[network] = Conditioning(
                arguments, self.recorded[network], self.num_images, self.engaged, may_agree=True
            )
        conditioning = self._conditioning[network]
        self._safe_call, self._answers, self._num_rows = None, None, num_rows(arguments)
        self._is_told = not conditioning.rows  # one that hears no text serves both streams
        found = self._found = conditioning.find(arguments) if mixes else []
        if not found:
            return None
        swapped = conditioning.safe_in_place(arguments, found) if whole else None
        if swapped is None:
            self._safe_call = module, conditioning.safe_rows(arguments, found)
        self._is_told = True
        return swapped

    def check(self, arguments: dict[str, Any]) -> None:
        """Raise SafetyFailure where a denoiser call that is to be mixed has answers to the prompt alone."""
        if _residuals(arguments) and not self._is_told:
            raise SafetyFailure("the ControlNet did not answer for the safe stream; nothing is drawn")

    def overheard(self, arguments: dict[str, Any]) -> list[Match]:
        """Return the rows of a negative prompt's call that are given the answers to the prompt; empty where none is."""
        is_given = self.waits and bool(_residuals(arguments)) and num_rows(arguments) == self._num_rows
        return self._found if is_given else []

    def with_safe_answers(
        self,
        arguments: dict[str, Any],
        places: Sequence[int],
        found: Sequence[Match],
        run: Callable[[Module, dict[str, Any]], Any],
    ) -> dict[str, Any]:
        """Return a call of safe rows with the ControlNet's answers to them.

        Args:
            arguments: Of that call, with its answers to the prompt in it.
            places: Where the safe rows stand in it.
            found: Which rows they are, in the same order.
            run: Calls a network past the hooks.

        Raises:
            SafetyFailure: Answers and rows do not fit together.
        """
        before = _residuals(arguments)
        if self._safe_call is None or not before:
            return arguments
        if self._answers is None:
            answers = leaves(run(*self._safe_call)).values()
            self._answers = [answer for answer in answers if isinstance(answer, Tensor)]
        is_whole = list(places) == list(range(num_rows(arguments)))  # then their length may differ, with the text's
        shapes = [(len(places), *v.shape[1:]) for v in (self._answers if is_whole else before.values())]
        fits = len(self._answers) == len(before) and [tuple(answer.shape) for answer in self._answers] == shapes
        if not fits or [match.image for match in self._found] != [match.image for match in found]:
            raise SafetyFailure("the ControlNet's answers for the safe stream do not fit; nothing is drawn")
        after = {path: with_rows(before[path], places, [a]) for path, a in zip(before, self._answers, strict=True)}
        changed: dict[str, Any] = rebuild(lambda path, value: after.get(path, value), arguments)
        return changed


def _residuals(arguments: dict[str, Any]) -> dict[Path, Tensor]:
    """Return a ControlNet's answers among a denoiser's arguments, in its own order."""
    found: dict[Path, Tensor] = {}
    for name in RESIDUALS:
        parts = leaves(arguments.get(name), (name,))
        found |= {path: part for path, part in parts.items() if isinstance(part, Tensor)}
    return found
