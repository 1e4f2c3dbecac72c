"""The first stage: draw what the store lacks, batch by batch, each picture from its own seed."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from counterpoint.bench.failure import failure
from counterpoint.bench.methods import build
from counterpoint.bench.plan import Plan, Task, batches
from counterpoint.bench.progress import Counter, progress
from counterpoint.bench.second_order import record_shift
from counterpoint.bench.shard import WHOLE, Shard
from counterpoint.bench.store import Store
from counterpoint.methods.method import Method, MethodPicture
from counterpoint.pictures import check_pictures


def missing(
    plan: Plan, method: str, store: Store, *, shard: Shard, retry_errors: bool
) -> list[tuple[list[Task], set[str]]]:
    """Return a method's batches of this shard that are not all in the store, each with the keys it lacks.

    A damaged picture counts as lacking.
    """
    found = []
    for batch in shard.of(batches(plan.tasks(method), plan.recipe.batch_size)):
        lacks = {task.key for task in batch if not _is_done(store.record(task.key), retry_errors)}
        if lacks:
            found.append((batch, lacks))
    return found


def _is_done(record: dict[str, Any] | None, retry_errors: bool) -> bool:
    return record is not None and not (retry_errors and record.get("error"))


def generate(plan: Plan, pipe: Any, store: Store, *, shard: Shard = WHOLE, retry_errors: bool = False) -> int:
    """Draw what is missing.

    Args:
        plan: A plan with its texts.
        pipe: The model.
        store: Where pictures and records go.
        shard: The part of the batches to draw.
        retry_errors: Draw again what failed before.

    Returns:
        Number of pictures drawn.

    Raises:
        OSError: The disk is full; what was drawn before is safe, and the next run goes on from there.
    """
    store.sweep()
    methods = dict(plan.recipe.expanded())
    work = {name: missing(plan, name, store, shard=shard, retry_errors=retry_errors) for name in plan.methods}
    total = sum(len(lacks) for todo in work.values() for _, lacks in todo)
    with progress("drawing", total) as counter:
        for name, todo in work.items():
            if todo:  # one method at a time: each may hold its own copy of the weights
                method = build(methods[name].name, pipe, methods[name].options, weights=store.root / "weights")
                record_shift(plan, name, method, pipe, store)
                for batch, lacks in todo:
                    _draw_batch(plan, method, batch, lacks, store, counter)
    return total


def _draw_batch(plan: Plan, method: Method, batch: list[Task], lacks: set[str], store: Store, counter: Counter) -> None:
    try:
        pictures = _call(plan, method, batch)
        results = [_encode(picture) for picture in pictures]
    except Exception as error:  # whatever a method raises; a full disk shows below, where nothing is caught
        if len(batch) > 1:  # one by one, to find out which
            for task in batch:
                if task.key in lacks:
                    _draw_batch(plan, method, [task], lacks, store, counter)
            return
        results = [(None, {"error": failure(error)})]
    for task, (png, record) in zip(batch, results, strict=True):
        if task.key not in lacks:
            continue
        about = {"key": task.key, "method": task.method, "seed": task.seed, "prompt_sha256": task.prompt.sha256}
        if png is None:
            store.write("records", task.key, {**about, **record})
        else:
            store.write_picture(task.key, png, {**about, **record})
        counter.advance()


def _call(plan: Plan, method: Method, batch: Sequence[Task]) -> list[MethodPicture]:
    pictures = method(
        [plan.texts[task.prompt.sha256] for task in batch],
        generators=[torch.Generator("cpu").manual_seed(task.seed) for task in batch],
        **batch[0].prompt.call,
    )
    if len(pictures) != len(batch):
        raise RuntimeError(f"the method drew {len(pictures)} pictures for {len(batch)} prompts")
    return pictures


def _encode(picture: MethodPicture) -> tuple[bytes | None, dict[str, Any]]:
    """Return the PNG file and its record; None where there is no picture to keep, and the record says why."""
    cost = picture.cost
    record: dict[str, Any] = {
        "action": picture.action, "denoiser_rows": cost.denoiser_rows, "plain_rows": cost.plain_rows,
        "seconds": cost.seconds,
    }  # fmt: skip
    if picture.action == "blocked":
        return None, {**record, "withheld": True}
    if picture.pixels is None:
        return None, {**record, "error": "the picture is NaN, black or one flat colour"}
    check_pictures([picture.pixels])
    values = (picture.pixels.detach().float().cpu().clamp(0, 1) * 255).round().byte()
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(values.permute(1, 2, 0).numpy())).save(buffer, format="PNG")
    return buffer.getvalue(), record
