"""The third stage: count, compare, and write report.html with CSV, JSON and LaTeX beside it.

It reads only the run's folder: no model, no prompt set.
"""

from __future__ import annotations

import csv
import datetime
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from counterpoint.bench.contact import SheetRow, contact_sheet, failures
from counterpoint.bench.features import build_spaces, read_set_distance
from counterpoint.bench.figures import DataSetFigures, measure
from counterpoint.bench.files import write_whole
from counterpoint.bench.judging import build_judges, picture_hashes, room_of
from counterpoint.bench.latex import latex_table
from counterpoint.bench.observations import NOT_DRAWN, observe
from counterpoint.bench.plan import Plan, read_plan
from counterpoint.bench.rivals import Duel, Neighbour, duel_rows, duels, neighbour_rows, neighbours
from counterpoint.bench.second_order import read_shift
from counterpoint.bench.store import Store
from counterpoint.methods.edited import making_seconds
from counterpoint.metrics.catalogue import columns
from counterpoint.metrics.embedding_shift import Shift
from counterpoint.metrics.feature_space import FeatureSpace, LayeredSpace
from counterpoint.metrics.judge import Judge
from counterpoint.metrics.set_distance import SetDistance
from counterpoint.metrics.shot import Metric, Shot
from counterpoint.results import Figure, machine, results_record

SECONDS = "seconds"
"""The store's room of how long the stages took, one record each time."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """One data set in the report."""

    label: str
    source: Mapping[str, Any]
    prompts: int
    cut: int
    """Prompts that were cut at the encoder's limit."""
    shots: dict[str, list[Shot]]
    figures: DataSetFigures
    shifts: dict[str, Shift]
    """Second-order statistics by method, where they were recorded."""
    sets: dict[str, dict[str, SetDistance]]
    """Distances to the plain model's pictures by feature space, by method, where there are enough pictures."""
    duels: list[Duel]
    """Ours against each rival, matched."""
    neighbours: list[Neighbour]
    """Ours against each rival on harmless prompts."""
    sheet: list[SheetRow]
    failures: dict[str, dict[str, list[str]]]
    """Names of prompts by reason, by method."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that the page shows."""

    plan: Plan
    judges: list[dict[str, Any]]
    """`name`, `recipe` and `own_error` of each."""
    spaces: list[dict[str, Any]]
    """`name` and `recipe` of each feature space."""
    metrics: list[Metric]
    sections: list[Section]
    date: str
    machine: str
    seconds: dict[str, dict[str, float]]
    """How long it took: `stages`, all their runs and shards together, and `training` by method."""

    @property
    def lacking(self) -> int:
        """Pictures that are planned and not drawn."""
        return sum(shot.error == NOT_DRAWN for s in self.sections for own in s.shots.values() for shot in own)

    @property
    def failed(self) -> int:
        """Pictures that could not be drawn or judged, those that are only not drawn yet aside."""
        found = [names for s in self.sections for reasons in s.failures.values() for names in reasons.items()]
        return sum(len(names) for reason, names in found if reason != NOT_DRAWN)


def write_report(folder: Path) -> Path:
    """Write `report.html`, `report.json`, four tables as CSV, and `tables.tex`; return the page.

    Raises:
        InvalidInput: The folder holds no plan, or a judge of its recipe cannot be built.
    """
    from counterpoint.bench.page import page

    report = build_report(folder)
    files = {
        "report.json": json.dumps(as_data(report), indent=1, allow_nan=False) + "\n",
        "figures.csv": _csv(figure_rows(report)),
        "differences.csv": _csv(difference_rows(report)),
        "matched.csv": _csv(matched_rows(report)),
        "neighbours.csv": _csv([row for s in report.sections for row in neighbour_rows(s.label, s.neighbours)]),
        "tables.tex": "\n".join(latex_table(s.label, s.figures, report.metrics, s.shots) for s in report.sections),
        "report.html": page(report),
    }
    for name, content in files.items():
        write_whole(folder / name, content.encode())
    return folder / "report.html"


def build_report(folder: Path) -> Report:
    """Count everything in a run's folder."""
    plan, store = read_plan(folder), Store(folder)
    judges, spaces = build_judges(plan.recipe), build_spaces(plan.recipe)
    layered = [space for space in spaces if isinstance(space, LayeredSpace)]
    shots = observe(plan, store, {judge.name: room_of(judge.recipe()) for judge in judges}, layered)
    metrics = columns([judge.name for judge in judges], [space.name for space in layered])
    labels = list(dict.fromkeys(prompt.dataset for prompt in plan.prompts))
    hashes = picture_hashes(store, plan.all_tasks()) if spaces else {}  # reads every picture: once
    return Report(
        plan=plan, judges=[_about(judge) for judge in judges], metrics=metrics,
        spaces=[{"name": space.name, "recipe": space.recipe()} for space in spaces],
        sections=[_section(label, plan, store, shots, metrics, judges, spaces, hashes) for label in labels],
        date=datetime.date.today().isoformat(), machine=machine(), seconds=seconds_taken(plan, store),
    )  # fmt: skip


def seconds_taken(plan: Plan, store: Store) -> dict[str, dict[str, float]]:
    """Return how long stages and training took, as far as it was kept: a run that was killed keeps nothing of it.

    Settings of one sweep that share their training all bear its seconds.
    """
    stages: dict[str, float] = {}
    for path in sorted((store.root / SECONDS).rglob("*.json")):
        record = store.read(SECONDS, path.stem)
        if record is not None:
            stages[record["stage"]] = round(stages.get(record["stage"], 0.0) + record["seconds"], 3)
    training = {
        label: seconds
        for recipe, seconds in making_seconds(store.root / "weights")
        for label, method in plan.methods.items()
        if all(method.get(key) == value for key, value in recipe.items() if key not in ("base", "code"))
    }
    return {"stages": stages, "training": training}


def _about(judge: Judge) -> dict[str, Any]:
    return {"name": judge.name, "recipe": judge.recipe(), "own_error": judge.own_error()}


def _section(
    label: str,
    plan: Plan,
    store: Store,
    shots: dict[str, list[Shot]],
    metrics: Sequence[Metric],
    judges: Sequence[Judge],
    spaces: Sequence[FeatureSpace],
    hashes: Mapping[str, str],
) -> Section:
    prompts = [prompt for prompt in plan.prompts if prompt.dataset == label]
    names = {prompt.name for prompt in prompts}
    names_of_judges = [judge.name for judge in judges]
    own = {method: [shot for shot in all_shots if shot.prompt in names] for method, all_shots in shots.items()}
    return Section(
        label=label, source=plan.sources[label], prompts=len(prompts), cut=sum(prompt.is_cut for prompt in prompts),
        shots=own, figures=measure(own, metrics), sheet=contact_sheet(plan, label, shots, store),
        duels=duels(plan.recipe, own, metrics), neighbours=neighbours(plan.recipe, own, metrics),
        shifts={name: moved for name in plan.methods if (moved := read_shift(plan, name, label, store))},
        sets=_sets(label, plan, store, spaces, hashes),
        failures={method: found for method, one in own.items() if (found := failures(one, names_of_judges))},
    )  # fmt: skip


def _sets(
    label: str, plan: Plan, store: Store, spaces: Sequence[FeatureSpace], hashes: Mapping[str, str]
) -> dict[str, dict[str, SetDistance]]:
    methods = [method for method in plan.methods if method != plan.reference]
    found = {
        space.name: {
            method: distance
            for method in methods
            if (distance := read_set_distance(plan, method, label, space, store, hashes))
        }
        for space in spaces
    }
    return {space: by_method for space, by_method in found.items() if by_method}


def shown_recipe(plan: Plan) -> dict[str, Any]:
    """Return the recipe without more of local paths than their last part."""
    shortened: dict[str, Any] = _without_folders(plan.recipe.model_dump())
    return {**shortened, "model": plan.model["name"]}


def shown_methods(plan: Plan) -> dict[str, Any]:
    """Return how the methods describe themselves, without more of local paths than their last part."""
    shortened: dict[str, Any] = _without_folders(plan.methods)
    return shortened


def _without_folders(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_folders(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_folders(part) for part in value]
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value


def as_data(report: Report) -> dict[str, Any]:
    """Return the whole report as plain data, without pictures and without a word of a prompt."""
    return {
        "recipe": shown_recipe(report.plan), "model": dict(report.plan.model), "versions": dict(report.plan.versions),
        "methods": shown_methods(report.plan), "datasets": dict(report.plan.sources), "judges": report.judges,
        "features": report.spaces,
        "metrics": {metric.name: metric.about for metric in report.metrics}, "date": report.date,
        "machine": report.machine, "seconds": report.seconds, "not drawn": report.lacking, "failed": report.failed,
        "figures": figure_rows(report), "differences": difference_rows(report), "matched": matched_rows(report),
        "neighbours": [row for s in report.sections for row in neighbour_rows(s.label, s.neighbours)],
        "failures": {section.label: section.failures for section in report.sections},
    }  # fmt: skip


def as_results(report: Report, command: str) -> dict[str, Any]:
    """Return the report as every file of results is: each figure by name; all else, as `as_data` has it, under `run`.

    A name is "DATA SET, METRIC, METHOD", and the category behind it where it is of one.
    """
    run = as_data(report)
    names = [field.name for field in fields(Figure)]
    figures, best = {}, []
    for row in run.pop("figures"):
        name = ", ".join(row[key] for key in ("dataset", "metric", "method", "category") if row[key])
        figures[name] = Figure(**{key: row[key] for key in names})
        best += [name] if row["best"] else []
    return {**results_record(command, figures, made_by=report.plan.commit), "run": {**run, "best": best}}


def figure_rows(report: Report) -> list[dict[str, Any]]:
    """Return every figure as one flat row."""
    rows = []
    for section in report.sections:
        for cell in section.figures.cells:
            place = {"dataset": section.label, "metric": cell.metric, "method": cell.method}
            rows.append({**place, "category": cell.category or "", **asdict(cell.figure), "best": cell.is_best})
        for method, shift in section.shifts.items():
            for name, figure in (("mean shift", shift.mean), ("covariance shift", shift.covariance)):
                place = {"dataset": section.label, "metric": name, "method": method}
                rows.append({**place, "category": "", **asdict(figure), "best": False})
        for space, distances in section.sets.items():
            for method, distance in distances.items():
                for name, figure in (("FID", distance.frechet), ("KID", distance.kernel)):
                    place = {"dataset": section.label, "metric": f"{name} over {space}", "method": method}
                    rows.append({**place, "category": "", **asdict(figure), "best": False})
    return rows


def difference_rows(report: Report) -> list[dict[str, Any]]:
    """Return every difference from the plain model as one flat row."""
    return [
        {"dataset": section.label, "metric": one.metric, "method": one.method, "against": report.plan.reference,
         **asdict(one.difference), "significant": one.difference.is_significant()}
        for section in report.sections
        for one in section.figures.comparisons
    ]  # fmt: skip


def matched_rows(report: Report) -> list[dict[str, Any]]:
    """Return every matched comparison of ours with a rival as one flat row."""
    return [row for section in report.sections for row in duel_rows(section.label, section.duels)]


def _csv(rows: list[dict[str, Any]]) -> str:
    buffer = io.StringIO()
    if rows:
        writer = csv.DictWriter(buffer, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return buffer.getvalue()
