"""Every scheduler of the installed diffusers in a pipeline of every family: does the engine mix with it as it should?

    PYTHONPATH=src python tests/families/schedulers.py --out docs/results/schedulers.json

A scheduler counts for a family where the plain pipeline draws finite latents with it that depend on the prompt: no list
says so. There the engine has to draw the safe prompt's plain latents at full weight, and the oracle's between.
"""

from __future__ import annotations

import argparse
import inspect
import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import conftest
import diffusers
import torch
from oracle import distance, oracle
from test_conformance import HALF, NUM_STEPS, SAFE, UNSAFE, guard, run

from counterpoint.bench.progress import progress
from counterpoint.interfaces import CounterpointError
from counterpoint.results import Figure, write_results

PASSES, FAILS, REFUSED, NOT_ITS_OWN = "passes", "fails", "refused", "does not draw with it by itself"
OPTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("DDIMScheduler", {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}),
    ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}),
    ("DPMSolverMultistepScheduler", {"use_karras_sigmas": True, "solver_order": 3}),
    ("FlowMatchEulerDiscreteScheduler", {"stochastic_sampling": True}),
    ("UniPCMultistepScheduler", {"solver_order": 3}),
)
"""Besides each class as it is: other orders, noise inside of a step, other spacing."""
FLOW: dict[str, Any] = {"use_flow_sigmas": True, "prediction_type": "flow_prediction"}
NOTES = """Every scheduler class of diffusers {version}, and some with other options, put into a tiny pipeline of every
family ({steps} steps, random weights, built without a hub) by `from_config` of the pipeline's own, told of flow where
the family predicts it and the class can. A pair counts where the plain pipeline draws finite latents that depend on the
prompt (two differ by {heard:.2%} of their span or more). "Passes": the engine draws at full weight the plain latents of
the safe prompt (to {full:.1%} of what the two prompts differ by), and at weight {weight} from tau {tau} those of an
oracle that shares no code with it (to {between:.1%} of what the mix changes, or float32's last digit); schedulers that
draw noise draw the same. "Refused": the engine raised, and no picture came back. Whether such a scheduler draws *well*
with real weights is not asked. Counts are complete, so they have no interval. Not tried, a library is not installed:
{unavailable}."""
FULL, BETWEEN = 1e-3, 5e-3
EPS = torch.finfo(torch.float32).eps
HEARD = 1e-4
"""What two prompts differ by at least, of what the latents span: less is too near to rounding to tell a mix by."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a pipeline with a scheduler."""

    pipeline: str
    scheduler: str
    result: str
    reason: str = ""


def candidates() -> list[tuple[str, dict[str, Any]]]:
    """Return (class, options) of every scheduler of the installed diffusers that can be had here."""
    return [*((name, {}) for name in _classes() if name not in unavailable()), *OPTIONS]


def unavailable() -> list[str]:
    """Return the schedulers whose libraries are not installed."""
    return [name for name in _classes() if "dummy" in getattr(diffusers, name).__module__]


def _classes() -> list[str]:
    names = [name for name in sorted(dir(diffusers)) if name.endswith("Scheduler")]
    return [name for name in names if hasattr(getattr(diffusers, name), "from_config")]


def pipelines() -> list[str]:
    """Return one class of each family, and those of a family whose own scheduler is another one."""
    chosen = {builder: names[0] for builder, names in conftest.FAMILIES.items()}
    return [*chosen.values(), "LatentConsistencyModelPipeline", "SanaSprintPipeline"]


def built(name: str) -> Any:
    """Return the tiny pipeline of a class."""
    pipe = conftest.BUILDERS[name](name)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def put_scheduler(pipe: Any, scheduler: str, options: dict[str, Any]) -> None:
    """Give the pipeline a scheduler made from the configuration of its own."""
    kind, own = getattr(diffusers, scheduler), pipe.scheduler
    is_flow = own.config.get("prediction_type") == "flow_prediction" or type(own).__name__.startswith("FlowMatch")
    taken = inspect.signature(kind).parameters
    flow = FLOW if is_flow and FLOW.keys() <= taken.keys() else {}
    pipe.scheduler = kind.from_config(own.config, **flow, **options)


def outcome(name: str, scheduler: str, options: dict[str, Any]) -> Outcome:
    """Try a pair."""
    label = scheduler + "".join(f", {key}={value}" for key, value in options.items())

    def told(result: str, reason: object = "") -> Outcome:
        return Outcome(pipeline=name, scheduler=label, result=result, reason=str(reason).partition("\n")[0][:200])

    pipe = built(name)
    try:
        put_scheduler(pipe, scheduler, options)
        original, plain = run(pipe, name, UNSAFE)[0], run(pipe, name, SAFE)[0]
    except Exception as error:  # any: it is the pipeline's own
        return told(NOT_ITS_OWN, f"{type(error).__name__}: {error}")
    if not torch.isfinite(original).all() or not torch.isfinite(plain).all():
        return told(NOT_ITS_OWN, "its latents are not finite")
    if distance(original, plain) < HEARD:
        return told(NOT_ITS_OWN, "both prompts draw the same")
    num_steps = getattr(pipe, "num_timesteps", len(pipe.scheduler.timesteps))  # Heun takes more than are asked for
    try:
        full, _ = run(guard(pipe), name, UNSAFE, safety="max")
        between, output = run(guard(pipe, schedule=HALF), name, UNSAFE)
    except CounterpointError as error:
        return told(REFUSED, error)
    expected = oracle(pipe, lambda prompt: run(pipe, name, prompt)[0], UNSAFE, SAFE, HALF, num_steps)
    if not (apart := distance(full, plain)) <= FULL * distance(original, plain):
        return told(FAILS, f"full weight is {apart:.2g} from the safe prompt's plain latents")
    if not (apart := distance(between, expected)) <= max(BETWEEN * distance(original, expected), EPS):
        return told(FAILS, f"{apart:.2g} from the oracle, which is {distance(original, expected):.2g} from the plain")
    mixed = sum(HALF.weight_at(step, num_steps) > 0.0 for step in range(num_steps))
    if output.safety[0].steps_mixed != mixed:
        return told(FAILS, f"{output.safety[0].steps_mixed} steps mixed, not {mixed}")
    return told(PASSES)


def outcomes(names: list[str], schedulers: list[tuple[str, dict[str, Any]]]) -> Iterator[Outcome]:
    """Try all pairs."""
    with progress("schedulers", len(names) * len(schedulers)) as bar, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in names:
            for scheduler, options in schedulers:
                yield outcome(name, scheduler, options)
                bar.advance()


def page(found: list[Outcome]) -> str:
    """Return the table of families, and what did not pass with the reason."""
    rows = ["| pipeline | draws with | passes | schedulers |", "|---|---|---|---|"]
    for name in dict.fromkeys(one.pipeline for one in found):
        drawn = [one for one in found if one.pipeline == name and one.result != NOT_ITS_OWN]
        passed = [one.scheduler.replace("Scheduler", "") for one in drawn if one.result == PASSES]
        rows.append(f"| `{name}` | {len(drawn)} | {len(passed)} | {'; '.join(passed)} |")
    rows += ["", "| not passed | scheduler | pipelines | reason |", "|---|---|---|---|"]
    grouped: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for one in found:
        if one.result in (FAILS, REFUSED):
            grouped[one.result, one.scheduler, one.reason].append(one.pipeline)
    rows += [
        f"| {result} | {scheduler} | {', '.join(names)} | {reason} |"
        for (result, scheduler, reason), names in sorted(grouped.items())
    ]
    reasons = Counter(one.reason.partition(":")[0] for one in found if one.result == NOT_ITS_OWN)
    rows += ["", "| the plain pipeline does not draw | pairs |", "|---|---|"]
    rows += [f"| {reason} | {count} |" for reason, count in reasons.most_common()]
    return "\n".join(rows)


def without_their_own(found: list[Outcome]) -> set[str]:
    """Return the pipelines that do not pass with the scheduler that they came with: then the sweep itself is broken."""
    passed = {(one.pipeline, one.scheduler) for one in found if one.result == PASSES}
    own = {name: type(built(name).scheduler).__name__ for name in {one.pipeline for one in found}}
    return {name for name, scheduler in own.items() if (name, scheduler) not in passed}


def figures_of(found: list[Outcome]) -> dict[str, Figure]:
    """Return the counts over all pairs."""
    counts = Counter(one.result for one in found)
    drawn = len(found) - counts[NOT_ITS_OWN]
    figures = {"pairs that the plain pipeline draws with": _count(drawn, len(found))}
    return figures | {f"of these: {result}": _count(counts[result], drawn) for result in (PASSES, REFUSED, FAILS)}


def _count(value: int, n: int) -> Figure:
    return Figure(value=value, low=value, high=value, n=n, unit="pairs")


def main() -> int:
    """Try all, write, print the page; 1 where a pair fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write; the page goes beside it")
    out: Path = parser.parse_args().out
    diffusers.utils.logging.set_verbosity(diffusers.utils.logging.CRITICAL)
    found = list(outcomes(pipelines(), candidates()))
    notes = NOTES.format(
        version=diffusers.__version__, steps=NUM_STEPS, weight=HALF.weight, tau=HALF.tau, full=FULL, between=BETWEEN,
        heard=HEARD, unavailable=", ".join(unavailable()) or "none",
    )  # fmt: skip
    write_results(
        out,
        title="Schedulers of every family",
        command=f"PYTHONPATH=src python tests/families/schedulers.py --out {out}",
        figures=figures_of(found),
        notes=notes + "\n\n" + page(found),
    )
    sys.stdout.write(out.with_suffix(".md").read_text(encoding="utf-8"))
    return int(any(one.result in (FAILS, REFUSED) for one in found) or bool(without_their_own(found)))


if __name__ == "__main__":
    sys.exit(main())
