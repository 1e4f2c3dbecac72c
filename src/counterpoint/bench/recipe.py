"""The recipe of a benchmark: one YAML file says everything that is drawn, judged and compared.

    name: knives
    methods:
      - name: dual_latent
        sweep: {safety: [0.25, 0.5, 1.0]}
    datasets:
      - {name: scenes, options: {kind: unsafe}, limit: 100}

Unknown fields are errors that name the field and what is allowed there.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from counterpoint.interfaces import InvalidInput

REFERENCE = "plain"
"""Label of the method that all others are compared with; it is drawn in every benchmark."""
LARGEST_SEED = 2**31 - 1


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class MethodRecipe(_Part):
    """One method, or one for each value of a sweep."""

    name: str
    """One of `counterpoint.methods`, or "module:function" for one of your own."""
    label: str | None = None
    """As tables call it; the name and the swept values where it is not given."""
    options: dict[str, Any] = {}
    sweep: dict[str, Annotated[list[Any], Field(min_length=1)]] = {}
    """Options that take each of several values; several fields are crossed."""


class DataSetRecipe(_Part):
    """One prompt set."""

    name: str
    """One of `counterpoint.datasets`."""
    label: str | None = None
    limit: Annotated[int, Field(ge=1)] | None = None
    """Rows; None = all, or 100 of the scenes world, which has no end."""
    options: dict[str, Any] = {}


class JudgeRecipe(_Part):
    """One judge."""

    name: str
    options: dict[str, Any] = {}


class FeaturesRecipe(_Part):
    """One feature space, in which FID, KID and perceptual distances are counted."""

    name: str
    options: dict[str, Any] = {}


class Recipe(_Part):
    """Everything that is drawn, judged and compared."""

    name: Annotated[str, Field(min_length=1)]
    model: str = "embedded"
    """Folder or hub name of a diffusers model."""
    methods: Annotated[list[MethodRecipe], Field(min_length=1)]
    datasets: Annotated[list[DataSetRecipe], Field(min_length=1)]
    judges: list[JudgeRecipe] = [JudgeRecipe(name="scenes")]
    features: list[FeaturesRecipe] = []
    """Where distances between sets of pictures, and perceptual ones between two, are counted; none by default."""
    seeds: Annotated[list[Annotated[int, Field(ge=0, le=LARGEST_SEED)]], Field(min_length=1)] = [0]
    """One picture a prompt for each: 0 is the row's own seed, others are derived from both."""
    steps: Annotated[int, Field(ge=1, le=1000)] = 25
    guidance_scale: Annotated[float, Field(ge=0, le=100, strict=False)] | Literal["dataset"] | None = None
    """A number; "dataset" = the row's own; None = the pipeline's default."""
    size: Literal["model", "dataset"] = "model"
    """Whose height and width: the model's default, or the row's own."""
    batch_size: Annotated[int, Field(ge=1, le=1024)] = 8

    @model_validator(mode="after")
    def _unique(self) -> Recipe:
        for field, values in (("methods", self.labels()), ("datasets", [data_label(d) for d in self.datasets])):
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"{field}: two are called {twice[0]!r}; give each a `label` of its own")
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError("seeds: each may stand there once")
        return self

    def expanded(self) -> list[tuple[str, MethodRecipe]]:
        """Return (label, method) with every sweep written out; the plain model comes first, whether asked or not."""
        pairs = [pair for method in self.methods for pair in _expand(method)]
        plain = [pair for pair in pairs if pair[0] == REFERENCE] or [(REFERENCE, MethodRecipe(name=REFERENCE))]
        return [*plain, *(pair for pair in pairs if pair[0] != REFERENCE)]

    def labels(self) -> list[str]:
        """Return the methods' labels, the plain model's first."""
        return [label for label, _ in self.expanded()]


def data_label(data: DataSetRecipe) -> str:
    """Return what tables call a data set."""
    return data.label or " ".join([data.name, *(str(data.options[key]) for key in ("kind",) if key in data.options)])


def _expand(method: MethodRecipe) -> list[tuple[str, MethodRecipe]]:
    base = method.label or method.name
    expanded = []
    for values in itertools.product(*method.sweep.values()):
        chosen = dict(zip(method.sweep, values, strict=True))
        label = " ".join([base, *(f"{key} {value}" for key, value in chosen.items())])
        expanded.append((label, MethodRecipe(name=method.name, label=base, options={**method.options, **chosen})))
    return expanded


def preset_names() -> list[str]:
    """Return the names of the recipes that come with the package."""
    folder = resources.files("counterpoint.bench") / "presets"
    return sorted(path.name.removesuffix(".yaml") for path in folder.iterdir() if path.name.endswith(".yaml"))


def load_recipe(source: str, *, data: str | None = None, changes: Mapping[str, Any] | None = None) -> Recipe:
    """Read a recipe.

    Args:
        source: A YAML file, or the name of a preset.
        data: Folder that relative paths of data sets start from; None = the file's own folder, or the
            working directory for a preset.
        changes: Fields of the recipe to set in place of what is written.

    Raises:
        InvalidInput: There is no such recipe, or a field holds what is not allowed.
    """
    path = Path(source)
    if source in preset_names():
        text = (resources.files("counterpoint.bench") / "presets" / f"{source}.yaml").read_text(encoding="utf-8")
        base = Path(data or ".")
    elif path.is_file():
        text, base = _text(path), Path(data) if data else path.parent
    else:
        raise InvalidInput("recipe", source, f"a YAML file, or one of {', '.join(preset_names())}")
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidInput("recipe", source, f"YAML ({' '.join(str(error).split())})") from error
    if not isinstance(content, dict):
        raise InvalidInput("recipe", source, "YAML with the fields of a recipe")
    return parse_recipe(_anchored({**content, **(changes or {})}, base))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput("recipe", str(path), f"a text file in UTF-8 that can be read ({error})") from error


def parse_recipe(content: Mapping[str, Any]) -> Recipe:
    """Check a recipe.

    Raises:
        InvalidInput: The first wrong field, what it holds, and what is allowed.
    """
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "recipe"
        if first["type"] == "extra_forbidden":
            allowed = f"no such field; known are {', '.join(_known_fields(first['loc']))}"
        else:
            allowed = first["msg"]
        given = first["input"]
        told = given if isinstance(given, (str, int, float)) else type(given).__name__
        raise InvalidInput(place, told, allowed) from None


def _known_fields(place: tuple[int | str, ...]) -> list[str]:
    parts: dict[str, type[_Part]] = {
        "methods": MethodRecipe, "datasets": DataSetRecipe, "judges": JudgeRecipe, "features": FeaturesRecipe,
    }  # fmt: skip
    model = parts.get(str(place[0]), Recipe) if len(place) > 1 else Recipe
    return list(model.model_fields)


def _anchored(content: dict[str, Any], base: Path) -> dict[str, Any]:
    """Make relative paths in the options of data sets and judges start from `base`."""
    for part, fields in (("datasets", ("path",)), ("judges", ("vectors",))):
        entries = content.get(part)
        for entry in entries if isinstance(entries, list) else []:  # what is no list is told when it is checked
            options = entry.get("options") if isinstance(entry, dict) else None
            for field in fields:
                if isinstance(options, dict) and isinstance(options.get(field), str):
                    options[field] = str((base / options[field]).resolve())
    return content
