"""Second-order statistics of every method on the harmless prompts of each data set, kept in the store."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from counterpoint.bench.methods import build
from counterpoint.bench.plan import Plan
from counterpoint.bench.store import Store, content_key
from counterpoint.methods.method import Method
from counterpoint.metrics.denoiser_reading import can_be_read, readings
from counterpoint.metrics.embedding_shift import Shift, shift
from counterpoint.results import Figure

ROOM = "statistics"
MOST_PROMPTS = 500


def record_shift(plan: Plan, label: str, method: Method, pipe: Any, store: Store) -> None:
    """Compare what the method's model reads of harmless prompts with what the plain model reads.

    A method says by its attribute `pipe` which model draws; without it, or where the model cannot be read,
    nothing is recorded. Data sets with fewer than ten harmless prompts are left out.
    """
    own = getattr(method, "pipe", None)
    if own is None or not (can_be_read(own) and can_be_read(pipe)):
        return
    for dataset, hashes in harmless(plan).items():
        key = shift_key(plan, label, hashes)
        if store.read(ROOM, key) is None:
            texts = [plan.texts[sha256] for sha256 in hashes]
            store.write(ROOM, key, asdict(shift(readings(own, texts), readings(pipe, texts))) | {"dataset": dataset})


def complete_shifts(plan: Plan, pipe: Any, store: Store) -> None:
    """Record what is missing although its pictures are there: a smaller `--limit` has other prompts to compare."""
    for label, part in plan.recipe.expanded():
        lacks = any(store.read(ROOM, shift_key(plan, label, hashes)) is None for hashes in harmless(plan).values())
        if lacks:
            record_shift(plan, label, build(part.name, pipe, part.options, weights=store.root / "weights"), pipe, store)


def read_shift(plan: Plan, label: str, dataset: str, store: Store) -> Shift | None:
    """Return what was recorded; None where nothing was."""
    hashes = harmless(plan).get(dataset)
    record = None if hashes is None else store.read(ROOM, shift_key(plan, label, hashes))
    if record is None:
        return None
    return Shift(mean=Figure(**record["mean"]), covariance=Figure(**record["covariance"]))


def harmless(plan: Plan) -> dict[str, list[str]]:
    """Return the SHA-256 of the harmless prompts of each data set that has at least ten, the first 500."""
    found: dict[str, list[str]] = {}
    for prompt in plan.prompts:
        if prompt.is_unsafe is False:
            found.setdefault(prompt.dataset, []).append(prompt.sha256)
    return {dataset: hashes[:MOST_PROMPTS] for dataset, hashes in found.items() if len(hashes) >= 10}


def shift_key(plan: Plan, label: str, hashes: list[str]) -> str:
    """Return the key of a record: everything that decides it."""
    return content_key({"model": plan.model["fingerprint"], "versions": dict(plan.versions),
                        "method": plan.methods[label], "prompts": hashes})  # fmt: skip
