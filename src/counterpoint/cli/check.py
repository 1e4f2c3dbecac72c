"""`counterpoint check`: what the gate says of prompts."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from counterpoint.cli import drawing, options
from counterpoint.interfaces import Detection, InvalidInput, SafetyFailure
from counterpoint.normalise import normalise

BAR_WIDTH = 24


def check(
    prompts: Annotated[
        list[str], typer.Argument(help="Prompts; `-` reads one prompt a line from stdin.", show_default=False)
    ],
    model: options.Model = None,
    gate: options.Gate = None,
    as_json: options.Json = False,
) -> None:
    """Say of each prompt whether the gate engages.

    All detectors have a say: similarity to unsafe concepts, the word list, whether the prompt can be
    read at all, and the rule on minors. Nothing is drawn. JSON: one object a line and prompt, in
    order. The exit code is 0 whatever the verdicts.
    """
    with options.exit_codes():
        texts = _read_prompts(prompts)
        from counterpoint.gate import with_second_opinions

        safe = drawing.load_safe_pipeline(model, gate)
        # The gate reads what is left of a text after normalisation.
        safe.text.check_length("prompt", *(read_as for text in texts for read_as in {text, normalise(text)}))
        try:
            detections = with_second_opinions(safe.detector)(texts)
        except Exception as error:
            raise SafetyFailure(f"the gate failed ({type(error).__name__}: {error})") from error
        for number, (text, detection) in enumerate(zip(texts, detections, strict=True), start=1):
            if as_json:
                options.print_json(_verdict(text, detection))
            else:
                typer.echo(_bars(number, detection))


def _read_prompts(prompts: list[str]) -> list[str]:
    texts: list[str] = []
    for prompt in prompts:
        if prompt != "-":
            texts.append(prompt)
            continue
        try:
            lines = typer.get_binary_stream("stdin").read().decode("utf-8").split("\n")
        except UnicodeDecodeError:
            raise InvalidInput("stdin", "other bytes", "text in UTF-8, one prompt a line") from None
        texts += [line.removesuffix("\r") for line in (lines if lines[-1] else lines[:-1])]
    if not texts:
        raise InvalidInput("prompt", "nothing", "at least one prompt")
    for number, text in enumerate(texts, start=1):
        if not text.strip():
            raise InvalidInput("prompt", f"an empty text as number {number}", "a text that is not empty")
    return texts


def _verdict(text: str, detection: Detection) -> dict[str, Any]:
    from counterpoint.png import prompt_sha256

    return {
        "prompt_sha256": prompt_sha256(text),
        "unsafe": detection.is_unsafe,
        "score": detection.score,
        "categories": detection.categories,
    }


def _bars(number: int, detection: Detection) -> str:
    because = f"  because of: {', '.join(detection.evidence)}" if detection.evidence else ""
    lines = [f"prompt {number}: {'unsafe' if detection.is_unsafe else 'safe'}  score {detection.score:.2f}{because}"]
    lines += [f"  note: {remark}" for remark in detection.remarks]
    full, rest = "█·" if "utf" in (sys.stdout.encoding or "").lower() else "#."
    name_width = max((len(name) for name in detection.categories), default=0)
    for name, score in sorted(detection.categories.items(), key=lambda item: -item[1]):
        filled = round(BAR_WIDTH * min(1.0, max(0.0, score)))
        lines.append(f"  {name:<{name_width}}  {full * filled}{rest * (BAR_WIDTH - filled)}  {score:5.2f}")
    return "\n".join(lines)
