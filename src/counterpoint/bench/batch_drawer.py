"""Draw one batch: each picture from its own seed, written as soon as it is there; a failure is a record, too."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image

from counterpoint.bench.failure import failure
from counterpoint.bench.methods import build
from counterpoint.bench.peak_memory import PeakMemory
from counterpoint.bench.plan import Plan, Task
from counterpoint.bench.second_order import record_shift
from counterpoint.bench.store import Store
from counterpoint.calls import default_guidance
from counterpoint.interfaces import InvalidInput
from counterpoint.methods.method import Method, MethodPicture
from counterpoint.pictures import check_pictures
from counterpoint.png import PictureRecord, package_versions
from counterpoint.provenance.marking import METADATA_ONLY

WRITERS = 8
"""Pictures that are written at once: a disk syncs several files in about the time of one."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Pictures of one method that one call draws."""

    tasks: tuple[Task, ...]
    """Always the same ones, whatever is in the store already; see `plan.batches`."""
    lacks: frozenset[str]
    """Keys of those that the store does not have."""

    @property
    def method(self) -> str:
        """The method's label."""
        return self.tasks[0].method


class BatchDrawer:
    """Draws batches of one plan with one loaded model; holds one method at a time.

    Args:
        plan: A plan with its texts.
        pipe: The model.
        store: Where pictures and records go.
    """

    def __init__(self, plan: Plan, pipe: Any, store: Store) -> None:
        self._plan, self._pipe, self._store = plan, pipe, store
        self._recipes = dict(plan.recipe.expanded())
        self._packages = package_versions()  # read from disk: once, not for each picture
        self._method: tuple[str, Method] | None = None

    def draw(self, batch: Batch, on_picture: Callable[[], None]) -> None:
        """Draw a batch and write what it lacks.

        Args:
            batch: The batch.
            on_picture: Called after each picture, or each failure, that was written; in this thread.

        Raises:
            InvalidInput: The method cannot be built.
            OSError: The disk is full.
        """
        self._draw(self._built(batch.method), batch.tasks, batch.lacks, on_picture)

    def _built(self, label: str) -> Method:
        if self._method is None or self._method[0] != label:
            self._method = None  # the one before may hold its own copy of the weights: let it go first
            recipe = self._recipes[label]
            method = build(recipe.name, self._pipe, recipe.options, weights=self._store.root / "weights")
            # A picture's key holds what the plan says of its method: one that trained anew, or reads another file, is
            # another method.
            if json.loads(json.dumps(method.recipe())) != json.loads(json.dumps(self._plan.methods[label])):
                raise InvalidInput("methods", label, "the method as it was planned, its weights among it; start again")
            record_shift(self._plan, label, method, self._pipe, self._store)
            self._method = label, method
        return self._method[1]

    def _draw(
        self, method: Method, tasks: Sequence[Task], lacks: frozenset[str], on_picture: Callable[[], None]
    ) -> None:
        try:
            with PeakMemory(self._pipe._execution_device) as memory:
                pictures = self._call(method, tasks)
            results = [
                _encode(picture, self._about(task), peak_memory=memory.mebibytes)
                for task, picture in zip(tasks, pictures, strict=True)
            ]
        except Exception as error:  # whatever a method raises; a full disk shows below, where nothing is caught
            if len(tasks) > 1:  # one by one, to find out which
                for task in tasks:
                    if task.key in lacks:
                        self._draw(method, [task], lacks, on_picture)
                return
            results = [(None, {"error": failure(error)})]
        # Under one key lies one picture, however often a data set asks for it: two threads must not write it.
        lacking = {t.key: (t, *result) for t, result in zip(tasks, results, strict=True) if t.key in lacks}
        with ThreadPoolExecutor(WRITERS) as pool:
            for _ in pool.map(self._write, lacking.values()):
                on_picture()

    def _write(self, drawn: tuple[Task, bytes | None, dict[str, Any]]) -> None:
        task, png, record = drawn
        about = {"key": task.key, "method": task.method, "seed": task.seed, "prompt_sha256": task.prompt.sha256}
        if png is None:
            self._store.write("records", task.key, {**about, **record})
        else:
            self._store.write_picture(task.key, png, {**about, **record})

    def _about(self, task: Task) -> PictureRecord:
        """Return what a picture's own file says of it; the store's record says more."""
        call = task.prompt.call
        return PictureRecord(
            prompt_sha256=task.prompt.sha256,
            seed=task.seed,
            steps=int(call["num_inference_steps"]),
            guidance_scale=float(call.get("guidance_scale", default_guidance(self._pipe))),
            scheduler=type(self._pipe.scheduler).__name__,
            model=self._plan.model["name"],
            packages=self._packages,
        )

    def _call(self, method: Method, tasks: Sequence[Task]) -> list[MethodPicture]:
        pictures = method(
            [self._plan.texts[task.prompt.sha256] for task in tasks],
            generators=[torch.Generator("cpu").manual_seed(task.seed) for task in tasks],
            **tasks[0].prompt.call,
        )
        if len(pictures) != len(tasks):
            raise RuntimeError(f"the method drew {len(pictures)} pictures for {len(tasks)} prompts")
        return pictures


def _encode(
    picture: MethodPicture, about: PictureRecord, *, peak_memory: float | None
) -> tuple[bytes | None, dict[str, Any]]:
    """Return the PNG file and its record; None where there is no picture to keep, and the record says why.

    The file says that it is synthetic in its metadata only: judges look at the pixels as they were drawn.
    """
    cost = picture.cost
    record: dict[str, Any] = {
        "action": picture.action, "denoiser_rows": cost.denoiser_rows, "plain_rows": cost.plain_rows,
        "seconds": cost.seconds, "peak_memory": peak_memory,
    }  # fmt: skip
    if picture.action == "blocked":
        return None, {**record, "withheld": True}
    if picture.pixels is None:
        return None, {**record, "error": "the picture is NaN, black or one flat colour"}
    check_pictures([picture.pixels])
    values = (picture.pixels.detach().float().cpu().clamp(0, 1) * 255).round().byte()
    check_pictures([values])  # rounding may make one flat colour of what was none
    image = Image.fromarray(np.ascontiguousarray(values.permute(1, 2, 0).numpy()))
    return METADATA_ONLY.encode(image, about), record
