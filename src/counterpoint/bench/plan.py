"""The plan: every picture of a benchmark with its key, written down before the first one is drawn.

`plan.json` holds no prompt of a set whose texts may not be shown: such rows have their number and the
SHA-256 of what is drawn. So judging and reporting need neither the model nor the prompt sets.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from counterpoint.bench.code_version import versions
from counterpoint.bench.files import write_whole
from counterpoint.bench.prompt_limit import PromptLimit
from counterpoint.bench.recipe import Recipe, data_label
from counterpoint.bench.store import content_key
from counterpoint.datasets.catalogue import load_data_set
from counterpoint.datasets.dataset import DataSet, Row
from counterpoint.interfaces import InvalidInput
from counterpoint.png import prompt_sha256
from counterpoint.results import commit

SCHEMA = 1
FILE = "plan.json"


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """One row of one data set, as it is drawn."""

    dataset: str
    """Label of its data set."""
    row: str
    sha256: str
    """Of the text that is drawn: cut at the encoder's limit."""
    is_cut: bool
    is_unsafe: bool | None
    categories: tuple[str, ...]
    asked: Mapping[str, str]
    """Label that each head of the scenes judge has to read; empty outside the scenes world."""
    seeds: tuple[int, ...]
    """One picture for each."""
    call: Mapping[str, float]
    """The pipeline's arguments."""
    text: str | None
    """None where the set's prompts may not be shown."""

    @property
    def name(self) -> str:
        """Unique within the benchmark."""
        return f"{self.dataset} {self.row}"


@dataclass(frozen=True, kw_only=True)
class Task:
    """One picture."""

    key: str
    method: str
    prompt: Prompt
    seed: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a benchmark draws."""

    recipe: Recipe
    model: Mapping[str, str]
    """`name`, `fingerprint`, and what became of its own `safety_checker`."""
    versions: Mapping[str, str]
    methods: Mapping[str, Mapping[str, Any]]
    """Each method's recipe, by label; the plain model's first."""
    sources: Mapping[str, Mapping[str, Any]]
    """What is known of each data set, by label."""
    prompts: tuple[Prompt, ...]
    commit: str = ""
    """Commit of the code that planned it; empty in plans from before it was recorded."""
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Text of every prompt by its SHA-256; only in memory, empty in a plan that was read back."""

    @property
    def reference(self) -> str:
        """Label of the plain model."""
        return next(iter(self.methods))

    def tasks(self, method: str) -> list[Task]:
        """Return the pictures of one method, in the order of the data sets."""
        common = {"schema": SCHEMA, "model": self.model["fingerprint"], "versions": dict(self.versions),
                  "method": self.methods[method]}  # fmt: skip
        # The method's part is the longest by far and the same for all its pictures: hash it once.
        base = content_key(common)
        return [
            Task(key=_picture_key(base, prompt, seed), method=method, prompt=prompt, seed=seed)
            for prompt in self.prompts
            for seed in prompt.seeds
        ]

    def all_tasks(self) -> list[Task]:
        """Return the pictures of all methods, method by method."""
        return [task for method in self.methods for task in self.tasks(method)]

    def save(self, folder: Path) -> None:
        """Write `plan.json`, unless the same plan stands there."""
        content = {name: value for name, value in asdict(self).items() if name not in ("recipe", "texts")}
        record = {"schema": SCHEMA, "recipe": self.recipe.model_dump(), **content}
        text = (json.dumps(record, indent=1, allow_nan=False) + "\n").encode()
        path = folder / FILE
        if not path.is_file() or path.read_bytes() != text:
            write_whole(path, text)


def read_plan(folder: Path) -> Plan:
    """Read `plan.json`.

    Raises:
        InvalidInput: There is no plan, or it is of another version.
    """
    allowed = f"a folder of `counterpoint bench run` (with a {FILE} of version {SCHEMA})"
    try:
        record = json.loads((folder / FILE).read_text(encoding="utf-8"))
        if record.pop("schema") != SCHEMA:
            raise InvalidInput("folder", str(folder), allowed)
        recipe = Recipe.model_validate(record.pop("recipe"))
        prompts = tuple(
            Prompt(**{**p, "categories": tuple(p["categories"]), "seeds": tuple(p["seeds"])})
            for p in record.pop("prompts")
        )
        return Plan(recipe=recipe, prompts=prompts, **record)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InvalidInput("folder", str(folder), allowed) from error


def make_plan(
    recipe: Recipe, *, model: Mapping[str, str], methods: Mapping[str, Mapping[str, Any]], limit: PromptLimit
) -> Plan:
    """Write down every picture of a recipe.

    Args:
        recipe: The recipe.
        model: What is known of the model, see `Plan`.
        methods: Each method's own recipe, by label, the plain model's first.
        limit: Cuts a text at the encoder's limit, for all methods alike.

    Raises:
        InvalidInput: A data set cannot be loaded.
    """
    sets = load_sets(recipe)
    prompts, texts = [], {}
    for label, data in sets.items():
        for row in data.rows:
            prompt, text = _prompt(label, row, data, recipe, limit)
            prompts.append(prompt)
            texts[prompt.sha256] = text
    return Plan(
        recipe=recipe, model=dict(model), versions=versions(), methods=dict(methods), commit=commit(),
        sources={label: asdict(data.source) for label, data in sets.items()}, prompts=tuple(prompts), texts=texts,
    )  # fmt: skip


def load_sets(recipe: Recipe) -> dict[str, DataSet]:
    """Load the data sets of a recipe, by label."""
    return {data_label(part): load_data_set(part.name, part.options, part.limit) for part in recipe.datasets}


def load_texts(recipe: Recipe, limit: PromptLimit) -> dict[str, str]:
    """Return what is drawn of every prompt, by its SHA-256."""
    texts = [limit.cut(row.prompt)[0] for data in load_sets(recipe).values() for row in data.rows]
    return {prompt_sha256(text): text for text in texts}


def _prompt(label: str, row: Row, data: DataSet, recipe: Recipe, limit: PromptLimit) -> tuple[Prompt, str]:
    text, is_cut = limit.cut(row.prompt)
    scene = row.scene
    asked = {} if scene is None else {
        "subject": scene.subject, "object": scene.object or "none", "background": scene.background
    }  # fmt: skip
    prompt = Prompt(
        dataset=label, row=row.name, sha256=prompt_sha256(text), is_cut=is_cut, is_unsafe=row.is_unsafe,
        categories=row.categories, asked=asked, seeds=tuple(derived_seed(row.seed, seed) for seed in recipe.seeds),
        call=_call(row.call, recipe), text=text if data.source.is_public else None,
    )  # fmt: skip
    return prompt, text


def derived_seed(own: int, number: int) -> int:
    """Return the seed of picture `number` of a row: its own for 0, else a hash of both, below 2^31."""
    if number == 0:
        return own
    return int.from_bytes(hashlib.sha256(f"{own} {number}".encode()).digest()[:4], "big") % 2**31


def _call(own: Mapping[str, float], recipe: Recipe) -> dict[str, float]:
    call: dict[str, float] = {"num_inference_steps": recipe.steps}
    if recipe.size == "dataset":
        call |= {name: own[name] for name in ("height", "width") if name in own}
    if isinstance(recipe.guidance_scale, float):
        call["guidance_scale"] = recipe.guidance_scale
    elif recipe.guidance_scale == "dataset" and "guidance_scale" in own:
        call["guidance_scale"] = own["guidance_scale"]
    return call


def _picture_key(base: str, prompt: Prompt, seed: int) -> str:
    return content_key({"base": base, "prompt": prompt.sha256, "seed": seed, "call": dict(prompt.call)})


def batches(tasks: Sequence[Task], size: int) -> list[list[Task]]:
    """Group a method's pictures into the calls that draw them.

    A batch is always the same, whatever is in the store already: in another batch a picture could
    round differently, and an interrupted run would not give the pictures of an uninterrupted one.
    """
    groups: dict[str, list[Task]] = {}
    for task in tasks:
        groups.setdefault(json.dumps(dict(task.prompt.call), sort_keys=True), []).append(task)
    return [group[start : start + size] for group in groups.values() for start in range(0, len(group), size)]
