"""`counterpoint calibrate`: fit the gate to another text encoder, or to concepts of your own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from counterpoint.cli import drawing, options
from counterpoint.interfaces import InvalidInput

if TYPE_CHECKING:
    from counterpoint.gate_settings import GateSettings

EPILOG = """Example: echo '{"clowns": ["clown", "jester"]}' > clowns.json;
counterpoint calibrate --concepts clowns.json --out gate.json;
counterpoint check "a clown in a park" --gate gate.json"""


def calibrate(
    out: Annotated[Path, typer.Option(help="The .json file; `--gate` of the other commands reads it.")],
    model: options.Model = None,
    concepts: Annotated[
        Path | None,
        typer.Option(help='JSON file of what is unsafe besides: {"clowns": ["clown"]}.', show_default="none"),
    ] = None,
    unsafe: Annotated[
        Path | None,
        typer.Option(help="Unsafe prompts, one a line.", show_default="captions of the scenes world"),
    ] = None,
    benign: Annotated[
        Path | None,
        typer.Option(help="Harmless prompts, one a line.", show_default="captions of the scenes world"),
    ] = None,
    max_false_alarms: Annotated[
        float, typer.Option(help="Fraction of the harmless prompts that may engage the gate, 0 to 1.")
    ] = 0.01,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
) -> None:
    """Fit the threshold of the gate's concept similarity on prompts.

    Prompts of your own users fit best. The rates are those on the prompts it was fitted on: measure
    on others. The gate's other detectors have no threshold to fit.
    """
    with options.exit_codes():
        if (unsafe is None) != (benign is None):
            raise InvalidInput("benign" if benign is None else "unsafe", None, "a file: give both or neither")
        extra = {} if concepts is None else _read_concepts(concepts)
        prompts = None if unsafe is None or benign is None else (_read_lines(unsafe), _read_lines(benign))
        from counterpoint.gate_settings import fit_gate
        from counterpoint.png import require_new
        from counterpoint.thresholds import validation_captions

        require_new([out], overwrite=overwrite)
        text = drawing.load_safe_pipeline(model).text
        on_unsafe, on_benign = prompts or validation_captions()
        fitted = fit_gate(text, on_unsafe, on_benign, extra_concepts=extra, max_false_alarms=max_false_alarms)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(fitted.to_json(), indent=1) + "\n", encoding="utf-8")
        if as_json:
            options.print_json({"path": str(out), **fitted.to_json(), "intervals": _intervals(fitted)})
        else:
            typer.echo(_lines(out, fitted))


def _read_concepts(path: Path) -> dict[str, tuple[str, ...]]:
    allowed = 'a JSON file with lists of words by category, as {"clowns": ["clown"]}'
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise InvalidInput("concepts", str(path), allowed) from None
    if not isinstance(value, dict) or not all(isinstance(words, list) for words in value.values()):
        raise InvalidInput("concepts", type(value).__name__, allowed)
    from counterpoint.detectors.concepts import joined

    return joined({}, value)


def _read_lines(path: Path) -> list[str]:
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except UnicodeDecodeError:
        raise InvalidInput("prompts", str(path), "text in UTF-8, one prompt a line") from None
    return [line for line in lines if line]


def _intervals(fitted: GateSettings) -> dict[str, Any]:
    """Return the 95 % interval of both rates."""
    from counterpoint.results import wilson_interval

    c = fitted.calibration
    return {
        "recall": wilson_interval(round(c.recall * c.num_unsafe), c.num_unsafe),
        "false_alarms": wilson_interval(round(c.false_alarms * c.num_benign), c.num_benign),
    }


def _lines(out: Path, fitted: GateSettings) -> str:
    c, intervals = fitted.calibration, _intervals(fitted)
    lines = [f"{out}  threshold {c.threshold:.3f} for {fitted.encoder}"]
    for name, value, count in (("recall", c.recall, c.num_unsafe), ("false_alarms", c.false_alarms, c.num_benign)):
        low, high = intervals[name]
        lines.append(f"  {name.replace('_', ' '):<12}  {value:.3f}  ({low:.3f} to {high:.3f}, n = {count}, fitted on)")
    return "\n".join(lines)
