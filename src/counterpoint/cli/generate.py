"""`counterpoint generate`: draw pictures of one prompt."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from counterpoint.cli import drawing, options
from counterpoint.interfaces import InvalidInput, SafetyFailure

if TYPE_CHECKING:
    from counterpoint.provenance.files import FileFormat
    from counterpoint.provenance.marking import Marking

FORMATS: dict[str, FileFormat] = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}
"""File formats by the ending of a name."""


def generate(
    prompt: options.Prompt,
    model: options.Model = None,
    safety: Annotated[str, typer.Option(help="off, low, medium, high, max, or a number 0..1.")] = "medium",
    safe_prompt: options.SafePrompt = None,
    gate: options.Gate = None,
    gate_point: options.GatePoint = "balanced",
    seed: options.Seed = None,
    num: Annotated[int, typer.Option("-n", "--num", help="Pictures; picture k has seed + k.")] = 1,
    steps: options.Steps = drawing.DEFAULT_STEPS,
    guidance_scale: options.GuidanceScale = None,
    out: Annotated[Path, typer.Option(help="A .png, .jpg or .webp file (one picture) or a folder, for PNG.")] = Path(
        "."
    ),
    overwrite: options.Overwrite = False,
    save_prompt: options.SavePrompt = False,
    no_watermark: options.NoWatermark = False,
    c2pa_certificate: options.C2paCertificate = None,
    c2pa_key: options.C2paKey = None,
    as_json: options.Json = False,
) -> None:
    """Draw pictures; unsafe prompts are steered by the safe stream.

    Each file says that it is synthetic and how it was made, and its pixels carry an invisible watermark (unless
    --no-watermark; pictures with a side below 64 pixels have no room for one). `counterpoint inspect` reads both.
    """
    with options.exit_codes():
        plan = drawing.Plan(
            prompt=prompt,
            safe_prompt=safe_prompt,
            steps=steps,
            model=model,
            save_prompt=save_prompt,
            gate=gate,
            point=gate_point,
            guidance_scale=guidance_scale,
        )
        options.require_between("num", num, 1, options.MOST_PICTURES)
        first = drawing.resolve_seed(seed, num)
        targets = _targets(out, range(first, first + num))
        from counterpoint.levels import resolve_safety
        from counterpoint.png import prompt_sha256, require_new

        dial = resolve_safety(safety)
        marking = drawing.marking(no_watermark=no_watermark, certificate=c2pa_certificate, key=c2pa_key)
        require_new(list(targets.values()), overwrite=overwrite)
        images, failures = _draw_all(plan, targets, marking, safety=dial, overwrite=overwrite)
        if as_json:
            options.print_json(
                {
                    "prompt_sha256": prompt_sha256(prompt),
                    "model": plan.model_name,
                    "level": drawing.level_numbers(dial),
                    "steps": steps,
                    "images": images,
                    "failures": failures,
                }
            )
        else:
            for image in images:
                typer.echo(_line(image))
        for failure in failures:
            options.say_error(f"seed {failure['seed']}: {failure['error']}")
    if failures:
        raise typer.Exit(options.EXIT_PARTIAL if images else options.EXIT_UNSAFE)


def _targets(out: Path, seeds: range) -> dict[int, Path]:
    """Return the file of each seed."""
    if not out.is_dir() and out.suffix:
        if out.suffix.lower() not in FORMATS or len(seeds) > 1:
            raise InvalidInput("out", str(out), f"a {', '.join(FORMATS)} file for one picture; a folder for several")
        return {seeds[0]: out}
    return {seed: out / f"counterpoint-{seed}.png" for seed in seeds}


def _draw_all(
    plan: drawing.Plan, targets: dict[int, Path], marking: Marking, *, safety: float, overwrite: bool
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    from counterpoint.png import write_file

    safe = drawing.load_safe_pipeline(plan.model, plan.gate, plan.point)
    images: list[dict[str, Any]] = []
    failures: list[dict[str, Any]] = []
    with drawing.progress_bar(plan.steps * len(targets)) as on_step:
        for seed, path in targets.items():
            try:
                image, report = drawing.draw(safe, plan, seed=seed, safety=safety, on_step=on_step)
                facts = drawing.report_dict(report)
                if report.action == "blocked":
                    error = "blocked by the model's own picture check"
                    failures.append({"seed": seed, "error": error, "report": facts})
                    continue
                how = marking if marking.has_room(image) else replace(marking, watermark_key=None)
                record = plan.record(safe.pipe, seed=seed, report=facts)
                content = how.encode(image, record, FORMATS[path.suffix.lower()])
            except SafetyFailure as failure:  # drawing, or a picture that drowns the mark
                failures.append({"seed": seed, "error": str(failure), "report": None})
                continue
            write_file(path, content, overwrite=overwrite)
            watermark = how.watermark_key is not None
            images.append({"path": str(path), "seed": seed, "watermark": watermark, "report": facts})
    return images, failures


def _line(image: dict[str, Any]) -> str:
    report = image["report"]
    how = f"  weight {report['weight']:.2f}  tau {report['tau']:.2f}" if report["action"] == "steered" else ""
    mark = "" if image["watermark"] else "  without watermark"
    return f"{image['path']}  seed {image['seed']}  {report['action']}{how}{mark}"
