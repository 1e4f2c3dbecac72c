"""`counterpoint bench`: draw, judge and compare methods on whole prompt sets."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import typer

from counterpoint.bench.failure import failure
from counterpoint.cli import options
from counterpoint.interfaces import InvalidInput

bench = typer.Typer(
    help="Draw, judge and compare methods on whole prompt sets.", no_args_is_help=True, rich_markup_mode=None
)

STAGES = ("generate", "judge", "report")
RUN_EXAMPLES = """Examples:\n
counterpoint bench run scenes-smoke --out runs/smoke\n
counterpoint bench run my-grid.yaml --out runs/mine --limit 100 --shard 2/8 --stage generate\n
counterpoint bench run my-grid.yaml --out runs/mine --executor ray --workers 4\n
counterpoint bench run i2p --model path/to/model --data prompts --out runs/i2p --set size=model --dry-run"""


@bench.command(epilog=RUN_EXAMPLES)
def run(
    recipe: Annotated[str, typer.Argument(help="A YAML file, or the name of a preset.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder of the run; the same one goes on where it was left.")],
    model: options.Model = None,
    data: Annotated[str | None, typer.Option(help="Folder that the paths of prompt sets start from.")] = None,
    limit: Annotated[int | None, typer.Option(help="Rows of each prompt set, from 1.")] = None,
    shard: Annotated[str, typer.Option(help="I/N: this process draws and judges part I of N.")] = "1/1",
    stage: Annotated[list[str] | None, typer.Option(help="generate, judge or report; may be given again.")] = None,
    change: Annotated[list[str] | None, typer.Option("--set", help="FIELD=VALUE of the recipe, as steps=10.")] = None,
    executor: Annotated[str, typer.Option(help="Who draws: local or ray, a cluster.")] = "local",
    workers: Annotated[
        int | None,
        typer.Option(help="Workers on the cluster, from 1.", show_default="one a GPU, else one a core but one"),
    ] = None,
    retry_errors: Annotated[
        bool, typer.Option("--retry-errors", help="Draw and judge again what failed before.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how much there is to do, and stop.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Draw what a recipe asks for, judge it and write the report.

    The folder keeps every finished picture: run the same command again after an interruption, and nothing is
    drawn twice. Shards share one folder; run the stage `report` once, at the end. `--executor ray` draws on the
    cluster of RAY_ADDRESS, or on this machine, into the same folder.
    """
    with options.exit_codes(failure):
        stages = _stages(stage)
        _require_extra()
        from counterpoint.bench.recipe import load_recipe
        from counterpoint.bench.run import estimate_run
        from counterpoint.bench.run import run as run_recipe
        from counterpoint.bench.shard import parse_shard

        changes = _changes(change) | ({} if model is None else {"model": model})
        chosen = load_recipe(recipe, data=data, changes=changes)
        if limit is not None:
            chosen = _limited(chosen, limit)
        part = parse_shard(shard)
        who = _executor(executor, workers)
        if dry_run:
            _say(dataclasses.asdict(estimate_run(chosen, out, part)), as_json)
            return
        outcome = run_recipe(chosen, out, stages=stages, shard=part, retry_errors=retry_errors, executor=who)
        told = dataclasses.asdict(outcome) | ({"report": str(out / "report.html")} if "report" in stages else {})
        _say(told, as_json)
        if outcome.failed or outcome.lacking or outcome.unjudged:
            raise typer.Exit(options.EXIT_PARTIAL)


@bench.command(epilog="Example:\n\ncounterpoint bench report runs/smoke")
def report(
    folder: Annotated[Path, typer.Argument(help="Folder of a run.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print where the report is as JSON.")] = False,
) -> None:
    """Write the report of a run again: report.html and report.json; tables as tables.tex and, in CSV, figures,
    differences, matched and neighbours."""
    with options.exit_codes():
        _require_extra()
        from counterpoint.bench.report import write_report

        _say({"report": str(write_report(folder))}, as_json)


@bench.command(epilog="Example:\n\ncounterpoint bench speed --model sd15-random --steps 3 --rounds 3 --out sd15.json")
def speed(
    out: Annotated[Path, typer.Option(help="JSON file to write; a page goes beside it.", show_default=False)],
    model: Annotated[str, typer.Option(help="embedded, sd15-random, or a diffusers folder.")] = "embedded",
    dtype: Annotated[str, typer.Option(help="Precision: float32, float16 or bfloat16.")] = "float32",
    steps: Annotated[int, typer.Option(help="Denoising steps of a picture, from 1.")] = 25,
    rounds: Annotated[int, typer.Option(help="Timed pictures of each way, from 1.")] = 10,
    threads: Annotated[int, typer.Option(help="CPU threads, from 1.")] = 1,
    only: Annotated[list[str] | None, typer.Option(help="Ways whose name holds this word; may be given again.")] = None,
    memory: Annotated[bool, typer.Option("--memory/--no-memory", help="Look at peak memory, too.")] = True,
) -> None:
    """Time plain, ours, diffusers' SLD and a stock output check in turn; count the denoiser's rows.

    "sd15-random" is a Stable Diffusion 1.x of real size with random weights, made here; it wants 8 GB of memory.
    """
    with options.exit_codes():
        for name, value in (("steps", steps), ("rounds", rounds), ("threads", threads)):
            if value < 1:
                raise InvalidInput(name, value, "a whole number from 1")
        from counterpoint.bench import speed as measured

        measured.run(
            out, model=model, dtype=dtype, steps=steps, rounds=rounds, threads=threads, memory=memory, only=only or []
        )
        typer.echo(out.with_suffix(".md").read_text(encoding="utf-8").rstrip("\n"))


def _stages(given: list[str] | None) -> tuple[Any, ...]:
    for name in given or ():
        if name not in STAGES:
            raise InvalidInput("stage", name, ", ".join(STAGES))
    return tuple(name for name in STAGES if not given or name in given)


def _executor(name: str, workers: int | None) -> Any:
    """Return who draws; None = this process."""
    if name == "local" and workers is None:
        return None
    if name != "ray":
        field, value = ("workers", workers) if name == "local" else ("executor", name)
        raise InvalidInput(field, value, "none without --executor ray" if name == "local" else "local, ray")
    try:
        from counterpoint.bench.ray_executor import RayExecutor
    except ImportError as error:
        raise InvalidInput("executor", name, f"the extra: pip install 'counterpoint[ray]' ({error.name})") from None
    return RayExecutor(workers=workers)


def _changes(given: list[str] | None) -> dict[str, Any]:
    import yaml

    changes = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not equals:
            raise InvalidInput("set", text, "FIELD=VALUE")
        try:
            changes[name] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise InvalidInput(name, value, f"a value in YAML ({' '.join(str(error).split())})") from error
    return changes


def _limited(recipe: Any, limit: int) -> Any:
    if limit < 1:
        raise InvalidInput("limit", limit, "a whole number from 1")
    parts = [part.model_copy(update={"limit": min(limit, part.limit or limit)}) for part in recipe.datasets]
    return recipe.model_copy(update={"datasets": parts})


def _require_extra() -> None:
    """Say what to install where the extra `bench` is missing."""
    try:
        import jinja2  # noqa: F401
        import matplotlib  # noqa: F401
        import pydantic  # noqa: F401
        import yaml  # noqa: F401
    except ImportError as error:
        raise InvalidInput("bench", error.name, "the extra: pip install 'counterpoint[bench]'") from error


def _say(values: dict[str, Any], as_json: bool) -> None:
    if as_json:
        options.print_json(values)
        return
    for name, value in values.items():
        shown = ", ".join(value) or "none" if isinstance(value, tuple) else value
        typer.echo(f"{name.replace('_', ' ')}: {shown}")
