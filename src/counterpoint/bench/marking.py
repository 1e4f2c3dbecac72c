"""Ask for pictures at every door of the product and inspect each file: does it carry its marks?

Examples:
    python -m counterpoint.bench.marking --out docs/results/marking.json
    python -m counterpoint.bench.marking --count 4 --steps 2 --out marking.json
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import torch
from rich.console import Console
from rich.progress import track

from counterpoint.bench.recipe import parse_recipe
from counterpoint.bench.run import run
from counterpoint.bench.server.asking import GENERATIONS, Answer, Asker
from counterpoint.bench.server.running import ROOM, Inside, inside
from counterpoint.loading import load_pipe
from counterpoint.provenance.files import EDITED, SYNTHETIC, FileFormat
from counterpoint.provenance.inspection import inspect_file
from counterpoint.results import Figure, rate, write_results
from counterpoint.server.config import EMBEDDED, Settings, load_settings
from counterpoint.server.loading import wrap
from counterpoint.ui.studio import Studio, Wish

PROMPTS = ("a dog in a forest", "a chef with a knife in a kitchen")
"""One that nothing is done to, and one that the gate of the embedded model steers; they take turns."""
DOORS = """`counterpoint generate` and `compare` as commands of their own; a really running server; the page's studio,
whose file is the page's download; the runner's folder. At each, one half of the pictures is of a harmless prompt, one
of a steered one. "Metadata" counts files that name a trained model as their source (IPTC) and hold the picture's
record; "watermark" those in whose pixels the invisible mark is found, as `counterpoint inspect` reads both. Streamed
answers count with their partial pictures. The runner's pictures are measured, and contact sheets hold text: by design
both have metadata alone."""


@dataclass
class Count:
    """What was found in the files of one door."""

    files: int = 0
    metadata: int = 0
    watermark: int = 0

    def add(self, path: Path) -> None:
        """Look at one file.

        Raises:
            InvalidInput: It is no picture.
        """
        found = inspect_file(path)
        self.files += 1
        self.metadata += found.source_type in (SYNTHETIC, EDITED) and bool(found.record)
        self.watermark += found.has_watermark


@dataclass(frozen=True)
class Inspector:
    """Counts the marks of files, door by door."""

    folder: Path
    """Where files that come as bytes are put."""
    counts: dict[str, Count] = field(default_factory=dict)

    def look(self, door: str, source: Path | bytes) -> None:
        """Count one file."""
        if isinstance(source, bytes):
            path = self.folder / uuid.uuid4().hex
            path.write_bytes(source)
            source = path
        self.counts.setdefault(door, Count()).add(source)

    def figures(self) -> dict[str, Figure]:
        """Return the rates; a door whose files hold metadata alone by design has no second one."""
        told: dict[str, Figure] = {}
        for door, count in self.counts.items():
            told[f"{door}: metadata"] = rate(count.metadata, count.files)
            if door not in (SHEETS, RUNNER):
                told[f"{door}: watermark"] = rate(count.watermark, count.files)
        return told


GENERATE, SHEETS, PAGE, RUNNER = "command line", "command line, contact sheets", "page", "runner"


def main() -> None:
    """Run the measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200, help="answers, or pictures, of each door, even (default 200)")
    parser.add_argument("--steps", type=int, default=4, help="denoising steps, from 2 (default 4)")
    parser.add_argument("--model", default=EMBEDDED, help="diffusers folder (default: the embedded model)")
    parser.add_argument("--out", type=Path, default=Path("docs/results/marking.json"), help="JSON file to write")
    given = parser.parse_args()
    if given.count < 2 or given.count % 2 or given.steps < 2:
        parser.error(f"--count, --steps: got {given.count}, {given.steps}; allowed: an even number, and from 2")
    figures = measure(given.count, given.steps, given.model)
    write_results(
        given.out,
        title="Marks on every picture",
        command=f"python -m counterpoint.bench.marking --count {given.count} --steps {given.steps} --out {given.out}",
        figures=figures,
        notes=DOORS,
    )
    sys.stdout.write(given.out.with_suffix(".md").read_text(encoding="utf-8"))


def measure(count: int, steps: int, model: str = EMBEDDED) -> dict[str, Figure]:
    """Return the rates of all doors.

    Args:
        count: Answers, or pictures, of each door; even.
        steps: Denoising steps.
        model: Folder of a diffusers model, or `embedded`.

    Raises:
        RuntimeError: A door gave no picture.
    """
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        inspector = Inspector(Path(name))
        for door, files in _doors(count, steps, model, Path(name)):
            for source in files:
                inspector.look(door, source)
    return inspector.figures()


def _doors(count: int, steps: int, model: str, folder: Path) -> Iterator[tuple[str, Iterator[Path | bytes]]]:
    yield GENERATE, _commands("generate", folder, model, steps, "-n", str(count // 2))
    for ending in ("jpg", "webp"):
        yield f"{GENERATE}, {ending}", _commands("generate", folder, model, steps, file=f"a.{ending}")
    yield SHEETS, _commands("compare", folder, model, steps, file="a.png")
    # Partial pictures need a detector that looks at them; its verdict must not take a picture away here.
    looks: dict[str, Any] = {"picture_detectors": ("scenes_checker",), "on_unsafe": "flag"}
    operator = load_settings(port=0, models={"model": model}, **looks, **ROOM)
    with inside(operator) as server:
        for door, ask in _questions(server, steps).items():
            yield f"server, {door}", (file for answer in _asked(door, ask, count) for file in _files(answer))
    yield PAGE, _page(operator, count, steps)
    yield RUNNER, _runner(count, steps, model, folder / "run")


def _commands(name: str, folder: Path, model: str, steps: int, *words: str, file: str = "") -> Iterator[Path | bytes]:
    """Run the command once for each prompt; it writes one file, or into a folder of its own."""
    for prompt in PROMPTS:
        out = folder / uuid.uuid4().hex
        out.mkdir()
        place = () if model == EMBEDDED else ("--model", model)
        command = [sys.executable, "-m", "counterpoint.cli", name, prompt, "--out", str(out / file), "--seed", "0"]
        subprocess.run([*command, "--steps", str(steps), *place, *words], check=True, capture_output=True)
        yield from sorted(path for path in out.rglob("*.*") if path.is_file())


def _questions(server: Inside, steps: int) -> dict[str, Callable[[str, int], Answer]]:
    """Return the ways to ask the server for a picture, by name; each takes prompt and seed."""
    asker = Asker(server.port)
    first = asker.draw(PROMPTS[0], num_inference_steps=steps).files[0]

    def body(prompt: str, seed: int, **fields: Any) -> Mapping[str, Any]:
        return {"prompt": prompt, "seed": seed, "num_inference_steps": steps, **fields}

    def ask(**fields: Any) -> Callable[[str, int], Answer]:
        return lambda prompt, seed: asker.post(GENERATIONS, body(prompt, seed, **fields))

    def edit(prompt: str, seed: int) -> Answer:
        return _post_form(asker, {name: str(value) for name, value in body(prompt, seed).items()}, first)

    return {
        **{file_format: ask(output_format=file_format) for file_format in get_args(FileFormat)},
        "streamed": ask(stream=True, partial_images=2),
        "edits": edit,
    }


def _post_form(asker: Asker, fields: Mapping[str, str], image: bytes) -> Answer:
    """Ask for an edit of a picture."""
    border = uuid.uuid4().hex
    head = f"--{border}\r\nContent-Disposition: form-data; name="
    texts = "".join(f'{head}"{name}"\r\n\r\n{value}\r\n' for name, value in fields.items())
    start = f'{texts}{head}"image"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
    content = start.encode() + image + f"\r\n--{border}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={border}"}
    return asker.ask("POST", "/v1/images/edits", content, kind)


def _asked(door: str, ask: Callable[[str, int], Answer], count: int) -> Iterator[Answer]:
    for seed in track(range(count), door, console=Console(stderr=True), transient=True):
        yield ask(PROMPTS[seed % 2], seed)


def _files(answer: Answer) -> list[bytes]:
    """Return the pictures of an answer.

    Raises:
        RuntimeError: There are none.
    """
    if answer.status != 200 or not answer.files:
        raise RuntimeError(f"the server gave no picture: {answer.status} {answer.body[:300]!r}")
    return answer.files


def _page(operator: Settings, count: int, steps: int) -> Iterator[Path | bytes]:
    """Draw what visitors of the page download.

    Raises:
        RuntimeError: A picture was blocked.
    """
    ((name, place),) = operator.models.items()
    studio = Studio(operator, {name: wrap(load_pipe(None if place == EMBEDDED else place), operator)})
    for seed in track(range(count), PAGE, console=Console(stderr=True), transient=True):
        wish = Wish(prompt=PROMPTS[seed % 2], safety=0.5, steps=steps, seed=seed, model=name)
        file = studio.draw(wish, lambda: None).file
        if file is None:
            raise RuntimeError("the page gave no picture")
        yield file


def _runner(count: int, steps: int, model: str, out: Path) -> Iterator[Path | bytes]:
    """Run a small benchmark: plain and ours, so that both kinds of pictures are there."""
    kinds = [
        {"name": "scenes", "label": kind, "limit": max(1, count // 4), "options": {"kind": kind}}
        for kind in ("unsafe", "proximal")
    ]
    methods = [{"name": "plain"}, {"name": "dual_latent", "label": "counterpoint"}]
    recipe = {"name": "marking", "model": model, "methods": methods, "datasets": kinds, "steps": steps}
    run(parse_recipe(recipe), out, stages=("generate",))
    yield from sorted((out / "pictures").rglob("*.png"))


if __name__ == "__main__":
    main()
