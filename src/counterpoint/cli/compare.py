"""`counterpoint compare`: one row of pictures along the dial, from one seed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args

import typer

from counterpoint.cli import drawing, options
from counterpoint.interfaces import Detection, InvalidInput, PictureDetector
from counterpoint.loading import PictureDetectorName

if TYPE_CHECKING:
    from PIL.Image import Image

SAFETIES = (0.0, 0.25, 0.5, 0.75, 1.0)


def compare(
    prompt: options.Prompt,
    model: options.Model = None,
    safe_prompt: options.SafePrompt = None,
    gate: options.Gate = None,
    gate_point: options.GatePoint = "balanced",
    seed: options.Seed = None,
    steps: options.Steps = drawing.DEFAULT_STEPS,
    guidance_scale: options.GuidanceScale = None,
    out: Annotated[Path, typer.Option(help="The .png file.")] = Path("compare.png"),
    picture_check: Annotated[
        list[str] | None,
        typer.Option(
            help="Who looks at each panel: scenes_checker, open_nsfw, nudenet; may be repeated.",
            show_default="scenes_checker for the embedded model, else nobody",
        ),
    ] = None,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show the panels that would be blurred.")] = False,
    overwrite: options.Overwrite = False,
    save_prompt: options.SavePrompt = False,
    as_json: options.Json = False,
) -> None:
    """Draw one row along the dial, from one seed.

    The panels are at safety 0, 0.25, 0.5, 0.75 and 1. Unless --reveal, a panel is blurred where the
    prompt's gate engages and nothing steered (safety 0), and where a picture check calls it unsafe. The
    embedded model has a check of its own, which knows its world only; name one for another model with
    --picture-check. The sheet says that it is synthetic, in its metadata only: its panels are compared by
    eye, so their pixels stay as drawn.
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
        if out.suffix.lower() != ".png":
            raise InvalidInput("out", str(out), "a .png file")
        from counterpoint.png import prompt_sha256, require_new, write_file
        from counterpoint.provenance.marking import METADATA_ONLY

        first = drawing.resolve_seed(seed)
        require_new([out], overwrite=overwrite)
        safe, pictures, panels = _draw_row(plan, _checks(picture_check, model), seed=first, reveal=reveal)
        sheet = _sheet(plan, pictures, panels, seed=first)
        record = plan.record(safe.pipe, seed=first, panels=tuple(panels))
        write_file(out, METADATA_ONLY.encode(sheet, record), overwrite=overwrite)
        if as_json:
            options.print_json(
                {
                    "prompt_sha256": prompt_sha256(prompt),
                    "model": plan.model_name,
                    "path": str(out),
                    "seed": first,
                    "steps": steps,
                    "panels": panels,
                }
            )
        else:
            typer.echo(f"{out}  seed {first}")
            for panel in panels:
                note = f"  (blurred: {panel['reason']}; --reveal shows it)" if panel["blurred"] else ""
                typer.echo(f"  safety {panel['level']['safety']:.2f}  {panel['report']['action']}{note}")


def _checks(names: list[str] | None, model: str | None) -> list[PictureDetector]:
    """Return who looks at the panels.

    Raises:
        InvalidInput: There is no detector of that name, or its extra is not installed.
    """
    from counterpoint.loading import picture_detector

    known = get_args(PictureDetectorName)
    if unknown := [name for name in names or () if name not in known]:
        raise InvalidInput("picture_check", unknown[0], ", ".join(known))
    default = ["scenes_checker"] if model is None else []
    return [picture_detector(cast(PictureDetectorName, name)) for name in (default if names is None else names)]


def _draw_row(
    plan: drawing.Plan, checks: list[PictureDetector], *, seed: int, reveal: bool
) -> tuple[Any, list[Image], list[dict[str, Any]]]:
    """Return the wrapped pipeline, the pictures as they may be shown, and one entry a panel."""
    from counterpoint.output_check import judge
    from counterpoint.sheet import blur

    safe = drawing.load_safe_pipeline(plan.model, plan.gate, plan.point)
    with drawing.progress_bar(plan.steps * len(SAFETIES)) as on_step:
        drawn = [drawing.draw(safe, plan, seed=seed, safety=safety, on_step=on_step) for safety in SAFETIES]
    is_engaged = any(report.action != "passed" for _, report in drawn)
    looks: list[Detection | None] = (
        list(judge(checks, [image for image, _ in drawn])) if checks else [None] * len(drawn)
    )
    pictures, panels = [], []
    for safety, (image, report), look in zip(SAFETIES, drawn, looks, strict=True):
        reason = _reason(is_engaged and report.weight == 0.0, look)
        hide = reason is not None and not reveal
        pictures.append(blur(image) if hide else image)
        panels.append(
            {
                "level": drawing.level_numbers(safety),
                "blurred": hide,
                "reason": reason,
                "picture_unsafe": None if look is None else look.is_unsafe,
                "report": drawing.report_dict(report),
            }
        )
    return safe, pictures, panels


def _reason(is_unsteered: bool, look: Detection | None) -> str | None:
    """Return why a panel must not be shown without being asked for; None = it may."""
    if look is not None and look.is_unsafe:
        return "picture check"
    return "gate" if is_unsteered else None


def _sheet(plan: drawing.Plan, pictures: list[Image], panels: list[dict[str, Any]], *, seed: int) -> Image:
    from counterpoint.sheet import contact_sheet

    captions = [
        f"blurred ({panel['reason']})"
        if panel["blurred"]
        else f"{panel['report']['action']}, w {panel['report']['weight']:.2f}"
        for panel in panels
    ]
    return contact_sheet(
        [pictures],
        columns=[f"safety {panel['level']['safety']:g}" for panel in panels],
        captions=[captions],
        title=f"{plan.prompt} (seed {seed})" if plan.save_prompt else f"seed {seed}",
    )
