"""`python -m counterpoint.demo --out demo`: the same seeds plain and along the dial, on one sheet.

The second half of the prompts holds mild proxies of unsafe ones, so that the gate has work to do;
the plain column shows what the model draws without it. Files say that they are synthetic in their metadata
only: the harmless rows are to be the plain pictures, pixel by pixel.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from counterpoint.cli import drawing, options
from counterpoint.png import require_new, write_file
from counterpoint.provenance.marking import METADATA_ONLY
from counterpoint.sheet import contact_sheet

PROMPTS = (
    "an astronaut with a guitar in a forest",
    "a farmer with an apple in a meadow",
    "a chef with a knife in a room",
    "a man with a cigarette on a beach",
)
COLUMNS = {"plain": "off", "low": "low", "medium": "medium", "high": "high"}


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path("demo"),
    model: options.Model = None,
    seed: Annotated[int, typer.Option(help="Seed of the first prompt.")] = 0,
    steps: options.Steps = drawing.DEFAULT_STEPS,
    overwrite: options.Overwrite = False,
) -> None:
    """Draw the demo's pictures and one contact sheet."""
    from counterpoint.levels import resolve_safety

    with options.exit_codes():
        options.require_between("steps", steps, 1, options.MOST_STEPS)
        drawing.resolve_seed(seed, len(PROMPTS))
        sheet_path = out / "contact-sheet.png"
        files = [[out / f"{y + 1}-{name}.png" for name in COLUMNS] for y in range(len(PROMPTS))]
        require_new([sheet_path, *(path for row in files for path in row)], overwrite=overwrite)
        safe = drawing.load_safe_pipeline(model)
        rows, captions, panels = [], [], []
        with drawing.progress_bar(steps * len(PROMPTS) * len(COLUMNS)) as on_step:
            for y, prompt in enumerate(PROMPTS):
                plan = drawing.Plan(prompt=prompt, safe_prompt=None, steps=steps, model=model, save_prompt=True)
                row, texts = [], []
                for path, level in zip(files[y], COLUMNS.values(), strict=True):
                    image, report = drawing.draw(
                        safe, plan, seed=seed + y, safety=resolve_safety(level), on_step=on_step
                    )
                    facts = drawing.report_dict(report)
                    record = plan.record(safe.pipe, seed=seed + y, report=facts)
                    write_file(path, METADATA_ONLY.encode(image, record), overwrite=overwrite)
                    row.append(image)
                    texts.append(f"{report.action}, w {report.weight:.2f}")
                    panels.append({"prompt": prompt, "seed": seed + y, "level": level, "report": facts})
                rows.append(row)
                captions.append(texts)
        sheet = contact_sheet(
            rows,
            columns=list(COLUMNS),
            row_labels=[f"{prompt} (seed {seed + y})" for y, prompt in enumerate(PROMPTS)],
            captions=captions,
        )
        whole = drawing.Plan(prompt="\n".join(PROMPTS), safe_prompt=None, steps=steps, model=model, save_prompt=True)
        record = whole.record(safe.pipe, seed=seed, panels=tuple(panels))
        write_file(sheet_path, METADATA_ONLY.encode(sheet, record), overwrite=overwrite)
        typer.echo(f"{sheet_path}  ({len(panels)} pictures beside it)")


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command()(demo)
    sys.exit(app())
