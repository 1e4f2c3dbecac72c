"""The three stages one after the other: generate, judge, report; each goes on where it was left."""

from __future__ import annotations

import dataclasses
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from counterpoint.bench.estimate import Estimate, estimate, told
from counterpoint.bench.executor import Executor
from counterpoint.bench.features import build_spaces, measure_features
from counterpoint.bench.generate import generate
from counterpoint.bench.judging import build_judges, judge_pictures, unjudged
from counterpoint.bench.methods import build
from counterpoint.bench.model import about_model, load_pipeline
from counterpoint.bench.plan import Plan, batches, load_texts, make_plan, read_plan
from counterpoint.bench.prompt_limit import PromptLimit
from counterpoint.bench.recipe import MethodRecipe, Recipe
from counterpoint.bench.report import SECONDS, write_report
from counterpoint.bench.shard import WHOLE, Shard
from counterpoint.bench.store import Store, content_key
from counterpoint.methods.edited import NotMade, making_nothing
from counterpoint.metrics.judge import Judge

Stage = Literal["generate", "judge", "report"]
STAGES: tuple[Stage, ...] = get_args(Stage)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run did."""

    planned: int
    """Pictures of the recipe."""
    drawn: int
    """Pictures that this run drew."""
    judged: int
    """Verdicts, distances and features that this run added."""
    lacking: int
    """Pictures of this shard that are still not in the store."""
    failed: int
    """Pictures that could not be drawn."""
    unjudged: int
    """Pictures of this shard on which a judge failed; 0 where no judge was asked."""


def run(
    recipe: Recipe,
    out: Path,
    *,
    stages: tuple[Stage, ...] = STAGES,
    shard: Shard = WHOLE,
    retry_errors: bool = False,
    executor: Executor | None = None,
) -> Outcome:
    """Run a benchmark in a folder; what stands there already is kept and not made again.

    Args:
        recipe: What to draw, judge and compare.
        out: The folder; the same one for all shards.
        stages: Which stages; judging and reporting alone read the folder's plan, not the recipe.
        shard: The part of drawing and judging that this process does.
        retry_errors: Draw and judge again what failed before.
        executor: Who draws; None = this process. The folder is the same for all.

    Raises:
        InvalidInput: The recipe asks for what is not there, or the folder holds no plan.
        OSError: The disk is full or cannot be written; the next run goes on from there.
    """
    store = Store(out)
    looks = bool({"generate", "judge"} & set(stages))  # a wrong judge fails before drawing
    judges, spaces = (build_judges(recipe), build_spaces(recipe)) if looks else ([], [])
    drawn = judged = failing = 0
    texts: Mapping[str, str] = {}
    if "generate" in stages:
        pipe = load_pipeline(recipe.model)
        plan, to_train = untrained_plan(recipe, pipe, out)
        found = estimate(plan, pipe, store, shard=shard, retry_errors=retry_errors, to_train=to_train)
        sys.stderr.write(f"{recipe.name}: {told(found)}\n")
        with _timed("generate", store):
            plan = _trained(plan, to_train, pipe, out)
            plan.save(out)
            drawn = generate(plan, pipe, store, shard=shard, retry_errors=retry_errors, executor=executor)
        texts = plan.texts
    else:
        plan = read_plan(out)
    if "judge" in stages:
        looking = {"judges": recipe.judges, "features": recipe.features}
        plan = dataclasses.replace(plan, recipe=plan.recipe.model_copy(update=looking))
        plan.save(out)  # other judges may look at the same pictures later
        texts = texts or _texts(plan, judges)
        with _timed("judge", store):
            judged = judge_pictures(plan, judges, store, texts=texts, shard=shard, retry_errors=retry_errors)
            judged += measure_features(plan, spaces, store, shard=shard)
        failing = unjudged(plan, judges, store, shard)
    if "report" in stages:
        with _timed("report", store):
            write_report(out)
    return dataclasses.replace(_outcome(plan, store, shard), drawn=drawn, judged=judged, unjudged=failing)


def plan_for(recipe: Recipe, pipe: Any, out: Path) -> Plan:
    """Return the plan of a recipe on a loaded model; builds each method, to learn its own recipe."""
    return _trained(*untrained_plan(recipe, pipe, out), pipe, out)


def untrained_plan(recipe: Recipe, pipe: Any, out: Path) -> tuple[Plan, list[str]]:
    """Return the plan as far as it is known before any weight is edited, and the methods that are not known yet.

    Those stand in it with a recipe that no picture has. A method of "module:function" does what it does when it is
    built.
    """
    methods: dict[str, Mapping[str, Any]] = {}
    to_train = []
    with making_nothing():
        for label, part in recipe.expanded():
            try:
                methods[label] = _recipe_of(part, pipe, out)
            except NotMade:
                methods[label] = {"to be trained": label}
                to_train.append(label)
    model = about_model(recipe.model, pipe)
    return make_plan(recipe, model=model, methods=methods, limit=PromptLimit(pipe)), to_train


def estimate_run(recipe: Recipe, out: Path, shard: Shard = WHOLE) -> Estimate:
    """Return what a run would cost; trains nothing and writes nothing.

    Raises:
        InvalidInput: The recipe asks for what is not there.
    """
    pipe = load_pipeline(recipe.model)
    plan, to_train = untrained_plan(recipe, pipe, out)
    return estimate(plan, pipe, Store(out), shard=shard, to_train=to_train)


def _trained(plan: Plan, to_train: Sequence[str], pipe: Any, out: Path) -> Plan:
    """Return the whole plan: build the methods whose weights were not made yet."""
    parts = dict(plan.recipe.expanded())
    made = {label: _recipe_of(parts[label], pipe, out) for label in to_train}
    return dataclasses.replace(plan, methods={**plan.methods, **made})


def _recipe_of(part: MethodRecipe, pipe: Any, out: Path) -> dict[str, Any]:
    return build(part.name, pipe, part.options, weights=out / "weights").recipe()


@contextmanager
def _timed(stage: Stage, store: Store) -> Iterator[None]:
    """Keep how long a stage took, also where it is interrupted by anything but a kill."""
    started, day = time.perf_counter(), time.time_ns()
    try:
        yield
    finally:
        record = {"stage": stage, "seconds": time.perf_counter() - started}
        with suppress(OSError):  # a full disk is told by the stage itself
            store.write(SECONDS, content_key({**record, "at": day, "process": os.getpid()}), record)


def _texts(plan: Plan, judges: list[Judge]) -> dict[str, str]:
    """Read the prompts again where a judge needs them."""
    if not any(judge.needs_prompt for judge in judges):
        return {}
    return load_texts(plan.recipe, PromptLimit(load_pipeline(plan.recipe.model)))


def _outcome(plan: Plan, store: Store, shard: Shard) -> Outcome:
    """Return what the store holds of the plan."""
    size = plan.recipe.batch_size
    tasks = plan.all_tasks()
    mine = {t.key for name in plan.methods for batch in shard.of(batches(plan.tasks(name), size)) for t in batch}
    records = {task.key: store.read("records", task.key) for task in tasks}
    return Outcome(
        planned=len(tasks), drawn=0, judged=0, unjudged=0,
        lacking=sum(records[key] is None for key in mine),
        failed=sum(bool((record or {}).get("error")) for record in records.values()),
    )  # fmt: skip
