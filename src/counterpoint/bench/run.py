"""The three stages one after the other: generate, judge, report; each goes on where it was left."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from counterpoint.bench.executor import Executor
from counterpoint.bench.features import build_spaces, measure_features
from counterpoint.bench.generate import generate
from counterpoint.bench.judging import build_judges, judge_pictures, unjudged
from counterpoint.bench.methods import build
from counterpoint.bench.model import fingerprint, load_pipeline, model_name
from counterpoint.bench.plan import Plan, batches, load_texts, make_plan, read_plan
from counterpoint.bench.prompt_limit import PromptLimit
from counterpoint.bench.recipe import Recipe
from counterpoint.bench.report import write_report
from counterpoint.bench.shard import WHOLE, Shard
from counterpoint.bench.store import Store
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
        plan = plan_for(recipe, pipe, out)
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
        judged = judge_pictures(plan, judges, store, texts=texts, shard=shard, retry_errors=retry_errors)
        judged += measure_features(plan, spaces, store, shard=shard)
        failing = unjudged(plan, judges, store, shard)
    if "report" in stages:
        write_report(out)
    return dataclasses.replace(_outcome(plan, store, shard), drawn=drawn, judged=judged, unjudged=failing)


def plan_for(recipe: Recipe, pipe: Any, out: Path) -> Plan:
    """Return the plan of a recipe on a loaded model; builds each method once, to learn its own recipe."""
    methods = {
        label: build(part.name, pipe, part.options, weights=out / "weights").recipe()
        for label, part in recipe.expanded()
    }
    return make_plan(
        recipe, fingerprint=fingerprint(pipe), model=model_name(recipe.model), methods=methods, limit=PromptLimit(pipe)
    )


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
