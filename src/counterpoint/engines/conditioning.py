"""What tells a denoiser's rows which picture to draw, and what the safe stream is told in its place.

No table of models: the denoiser's first call on the prompts is compared with its first call on the
safe prompts, the same call otherwise. What differs is the conditioning, whatever its names are:
token embeddings, pooled ones (SDXL, SD3, FLUX), attention masks, lists of one tensor a row (Z-Image).
What is equal (sizes, guidance, image prompts) and the unconditional rows are shared by both streams.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from counterpoint.engines.denoiser import SAMPLE, num_rows
from counterpoint.interfaces import SafetyFailure

Path = tuple[str | int, ...]
"""Where a value stands in the arguments, as ("added_cond_kwargs", "text_embeds")."""

RESIDUALS = (
    "down_block_additional_residuals", "mid_block_additional_residual", "block_controlnet_hidden_states",
    "controlnet_block_samples", "controlnet_single_block_samples",
)  # fmt: skip
"""What denoisers call the answers of a ControlNet, in the order in which it gives them."""
KEPT = frozenset({"kv_cache", "kv_cache_mode"})
"""Arguments in which a denoiser keeps what it made of a prompt for the steps to come: the safe rows go without them."""
STEP_BY_STEP = frozenset({*SAMPLE, *RESIDUALS, *KEPT, "timestep", "timesteps", "t"})
"""Arguments that change from step to step, so that a difference in them is not conditioning."""
LISTS_OF_PARTS = frozenset({
    *RESIDUALS, "controlnet_cond", "controlnet_mode", "control_type", "down_intrablock_additional_residuals",
    "text_encoder_layers",
})  # fmt: skip
"""Arguments that list one tensor a block, a layer or a network, not a row: there may be as many by chance."""
UNBATCHED = frozenset({
    "img_ids", "txt_ids", "image_rotary_emb", "img_shapes", "ip_adapter_masks", "padding_mask", "visual_rope_pos",
    "text_rope_pos",
})  # fmt: skip
"""Arguments without a batch axis: their length may equal the number of rows by chance."""
STACKED = frozenset({"encoder_hidden_states_llama3"})
"""Arguments that stack the layers of a text encoder first, (N, B, ...): their rows are the second axis."""


def leaves(value: Any, path: Path = ()) -> dict[Path, Any]:
    """Return the values inside nested dicts, lists and tuples, by path."""
    match value:
        case dict():
            items = list(value.items())
        case list() | tuple():
            items = list(enumerate(value))
        case _:
            return {path: value}
    return {inner: leaf for key, item in items for inner, leaf in leaves(item, (*path, key)).items()}


def rebuild(change: Callable[[Path, Any], Any], value: Any, path: Path = ()) -> Any:
    """Return `value` with every leaf changed; the inverse of `leaves`."""
    match value:
        case dict():
            return {key: rebuild(change, item, (*path, key)) for key, item in value.items()}
        case list() | tuple():
            return type(value)(rebuild(change, item, (*path, i)) for i, item in enumerate(value))
        case _:
            return change(path, value)


def same(a: Any, b: Any) -> bool:
    """Whether two values are one object, equal tensors, or equal plain values."""
    if a is b:
        return True
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.shape == b.shape and torch.equal(a, b)
    return isinstance(a, (bool, int, float, str)) and type(a) is type(b) and bool(a == b)


def row_axis(path: Path) -> int:
    """Return which axis of a tensor its rows are."""
    return 0 if STACKED.isdisjoint(path) else 1


def has_rows(path: Path, value: Any, rows: int) -> bool:
    """Whether `value` holds one entry a row: a tensor (B, ...) or (N, B, ...), or an argument that lists B tensors."""
    if not UNBATCHED.isdisjoint(path):
        return False
    if isinstance(value, list):
        is_of_rows = len(path) == 1 and path[0] not in LISTS_OF_PARTS
        return is_of_rows and len(value) == rows and all(isinstance(item, Tensor) for item in value)
    axis = row_axis(path)
    return isinstance(value, Tensor) and value.ndim > axis and value.shape[axis] == rows


def row_of(path: Path, value: Any, row: int) -> Any:
    """Return one row of what `has_rows`; of a tensor it is a view."""
    return value[row] if isinstance(value, list) else value.select(row_axis(path), row)


def pick(path: Path, value: Any, rows: Sequence[int]) -> Any:
    """Pick rows of what `has_rows`."""
    if isinstance(value, list):
        return [value[row] for row in rows]
    return value[:, list(rows)] if row_axis(path) else value[list(rows)]


@dataclass(frozen=True)
class Match:
    """A row of a denoiser's call that draws an engaged picture from its prompt."""

    row: int
    source: int
    """Row of the first call with the same conditioning."""
    image: int


class Conditioning:
    """The safe stream's conditioning for each engaged row.

    Args:
        original: Arguments of the denoiser's first call, by name; B rows, B a multiple of M.
        safe: The same with the safe prompts.
        num_images: Pictures M; row r draws picture r % M, as all diffusers pipelines order them.
        engaged: Indices of the engaged pictures.
        may_agree: Whether both streams may be told the same, as by a ControlNet that hears no text.

    Raises:
        SafetyFailure: The two calls do not fit together, or the safe stream of an engaged picture is
            told just what its prompt says.
    """

    def __init__(
        self, original: dict[str, Any], safe: dict[str, Any], num_images: int, engaged: Sequence[int], *,
        may_agree: bool = False,
    ) -> None:  # fmt: skip
        self.num_rows = num_rows(original)
        if num_rows(safe) != self.num_rows or self.num_rows % num_images:
            raise SafetyFailure(
                f"the denoiser runs {self.num_rows} rows on the prompts and {num_rows(safe)} on the safe ones, for "
                f"{num_images} pictures; the streams cannot be paired"
            )
        self.num_images = num_images
        before, after = self._parts(original), self._parts(safe)
        changed = [path for path in {**before, **after} if not _equal(before.get(path), after.get(path))]
        self.safe: dict[Path, Any] = {path: after.get(path) for path in changed}
        """What the safe stream has, where it has something else."""
        self.keys: dict[Path, Any] = {
            path: before[path] for path in changed if has_rows(path, before.get(path), self.num_rows)
        }
        """What the original has there, where that is one entry a row: by this a row is known."""
        self.rows = [
            row
            for row in range(self.num_rows)
            if row % num_images in engaged and any(self._differs(path, row) for path in self.keys)
        ]
        silent = set(engaged) - {row % num_images for row in self.rows}
        if silent and not may_agree:
            raise SafetyFailure(
                f"the safe stream of picture {min(silent)} is told the same as its prompt; give another safe_prompt"
            )
        self._last_call: tuple[list[Any], list[Match]] = [], []
        """What the last call was told, and what was found in it."""

    @property
    def is_separate(self) -> bool:
        """Whether a call holds one row a picture: prompt and negative prompt, where there is one, have a call each."""
        return self.num_rows == self.num_images

    def _parts(self, arguments: dict[str, Any]) -> dict[Path, Any]:
        """Return what may be conditioning: rows as tensors or lists, everything else leaf by leaf."""
        parts: dict[Path, Any] = {}
        for name, value in arguments.items():
            if name not in STEP_BY_STEP:
                parts |= {(name,): value} if has_rows((name,), value, self.num_rows) else leaves(value, (name,))
        return parts

    def _differs(self, path: Path, row: int) -> bool:
        safe = self.safe[path]
        return not has_rows(path, safe, self.num_rows) or not same(
            row_of(path, self.keys[path], row), row_of(path, safe, row)
        )

    def find(self, arguments: dict[str, Any]) -> list[Match]:
        """Return the rows of a call that carry an engaged prompt; none in a call of unconditional rows only.

        Pipelines order prompts and negative prompts differently, and some call the denoiser once for
        each, so rows are found by what they hold. In a call as large as the first one a row keeps its
        place: it is not taken for a prompt where the negative prompt says the same.
        """
        here = {path: _at(path, arguments) for path in self.keys}
        key: list[Any] = [num_rows(arguments)]
        for part in here.values():
            key += part if isinstance(part, list) else [part]
        seen, found = self._last_call
        if len(key) != len(seen) or not all(map(_unchanged, key, seen)):
            found = self._match(here, num_rows(arguments))
            self._last_call = key, found
        return found

    def _match(self, here: dict[Path, Any], rows: int) -> list[Match]:
        if not all(has_rows(path, part, rows) for path, part in here.items()):
            return []
        found = []
        for row in range(rows):
            image = row % self.num_images
            for source in self.rows:
                is_here = source == row if rows == self.num_rows else source % self.num_images == image
                if is_here and self._is_told(here, row, source):
                    found.append(Match(row=row, source=source, image=image))
                    break
        return found

    def _is_told(self, here: dict[Path, Any], row: int, source: int) -> bool:
        """Whether a row of a call is told what a row of the first call was."""
        return all(same(row_of(p, part, row), row_of(p, self.keys[p], source)) for p, part in here.items())

    def safe_rows(self, arguments: dict[str, Any], found: Sequence[Match]) -> dict[str, Any]:
        """Return the call of the safe rows alone, one for each of `found`."""
        total = num_rows(arguments)
        rows, sources = [match.row for match in found], [match.source for match in found]

        def safe_part(path: Path, value: Any) -> Any:
            if path in self.safe:
                safe = self.safe[path]
                return pick(path, safe, sources) if has_rows(path, safe, self.num_rows) else safe
            return pick(path, value, rows) if has_rows(path, value, total) and len(rows) < total else value

        return self._rebuilt({**arguments, **dict.fromkeys(KEPT & arguments.keys())}, safe_part)

    def same_rows(self, arguments: dict[str, Any], found: Sequence[Match]) -> dict[str, Any]:
        """Return the call of the rows `found` alone, told what they are told."""
        total, rows = num_rows(arguments), [match.row for match in found]
        return self._rebuilt(arguments, lambda path, v: pick(path, v, rows) if has_rows(path, v, total) else v)

    def safe_in_place(self, arguments: dict[str, Any], found: Sequence[Match]) -> dict[str, Any] | None:
        """Return the call with the safe conditioning in the rows `found`; None where the two cannot share a call."""
        if len(found) == num_rows(arguments):
            return self.safe_rows(arguments, found)
        if _keeps(arguments):
            return None
        for path, safe in self.safe.items():
            if path not in self.keys or not has_rows(path, safe, self.num_rows):
                return None  # one value for all rows, or a mask that only one of the two has
            if isinstance(safe, list):  # its rows are padded to the longest: that would touch harmless pictures
                if len({match.image for match in found}) < self.num_images and not self._as_long(path, found):
                    return None
            elif safe.shape != self.keys[path].shape:
                return None  # texts of different length

        def shared_part(path: Path, value: Any) -> Any:
            if path not in self.safe:
                return value
            value = list(value) if isinstance(value, list) else value.clone()
            for match in found:
                safe = row_of(path, self.safe[path], match.source)
                if isinstance(value, list):
                    value[match.row] = safe
                else:
                    row_of(path, value, match.row).copy_(safe)
            return value

        return self._rebuilt(arguments, shared_part)

    def whole_batch(self, arguments: dict[str, Any], found: Sequence[Match]) -> tuple[dict[str, Any], list[int]]:
        """Return the call of all rows of the pictures of `found`, the safe conditioning in its place; and those rows.

        Raises:
            SafetyFailure: The safe conditioning does not fit into the call.
        """
        total, images = num_rows(arguments), {match.image for match in found}
        swapped = self.safe_in_place(arguments, found)
        if swapped is None:
            raise SafetyFailure("the safe text and the prompt cannot share a call, and this denoiser needs one")
        rows = [row for row in range(total) if row % self.num_images in images]
        if len(rows) < total:
            swapped = self._rebuilt(swapped, lambda path, v: pick(path, v, rows) if has_rows(path, v, total) else v)
        return swapped, rows

    def joined(self, arguments: dict[str, Any], found: Sequence[Match]) -> dict[str, Any] | None:
        """Return the call with the safe rows behind its own; None where the two cannot share a call."""
        total = num_rows(arguments)
        rows, sources = [match.row for match in found], [match.source for match in found]
        if any(isinstance(value, list) and has_rows((name,), value, total) for name, value in arguments.items()):
            return None  # rows of a list are padded to the longest
        if _keeps(arguments):
            return None
        for path, safe in self.safe.items():
            key = self.keys.get(path)
            if not isinstance(safe, Tensor) or not isinstance(key, Tensor) or safe.shape != key.shape:
                return None

        def joined_part(path: Path, value: Any) -> Any:
            if path in self.safe:
                return torch.cat([value, pick(path, self.safe[path], sources)], dim=row_axis(path))
            return (
                torch.cat([value, pick(path, value, rows)], row_axis(path)) if has_rows(path, value, total) else value
            )

        return self._rebuilt(arguments, joined_part)

    def _as_long(self, path: Path, found: Sequence[Match]) -> bool:
        return all(self.safe[path][m.source].shape == self.keys[path][m.source].shape for m in found)

    def _rebuilt(self, arguments: dict[str, Any], change: Callable[[Path, Any], Any]) -> dict[str, Any]:
        total = num_rows(arguments)
        absent = {str(path[0]): None for path in self.safe if len(path) == 1}
        return {
            name: change((name,), value)
            if (name,) in self.safe or has_rows((name,), value, total)
            else rebuild(change, value, (name,))
            for name, value in {**absent, **arguments}.items()
        }


def _keeps(arguments: dict[str, Any]) -> bool:
    """Whether a call keeps what it makes of the prompt, or is served what an earlier one kept."""
    return any(arguments.get(name) is not None for name in KEPT)


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return same(a, b)


def _at(path: Path, arguments: dict[str, Any]) -> Any:
    """Return the value at `path`; None where there is none."""
    value: Any = arguments
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _unchanged(now: Any, before: Any) -> bool:
    """Whether this is the same object: most pipelines pass theirs on at every step, and a look costs a device sync."""
    return now is before or (isinstance(now, int) and now == before)
