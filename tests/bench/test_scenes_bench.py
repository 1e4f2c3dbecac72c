"""The measuring commands: known cases, honest counting, a page with its command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from counterpoint.bench import scenes
from counterpoint.bench.cases import Case, Kind, scenes_cases
from counterpoint.bench.counting import agreement, found_rates, read_pictures, safety_rates, share, shows_unsafe
from counterpoint.bench.drawing import Drawn, draw_cases
from counterpoint.pipeline import SafePipeline
from counterpoint.recognisers import Reading, Recogniser, RecogniserConfig
from counterpoint.scenes.vocabulary import OBJECTS
from counterpoint.scenes.world import split_of


def reading(subject: str = "cat", thing: str = "apple", background: str = "beach") -> Reading:
    return Reading(
        subject=subject, object=thing, background=background,
        subject_probability=1.0, object_probability=1.0, background_probability=1.0,
    )  # fmt: skip


def drawn_for(count: int) -> list[Drawn]:
    cases = scenes_cases("unsafe", split="test", count=count)
    return [Drawn(case=case, pixels=torch.rand(3, 16, 16), report=None) for case in cases]


@pytest.mark.parametrize("kind", ["any", "unsafe", "proximal", "benign"])
def test_cases_belong_to_their_split_and_kind_and_do_not_depend_on_the_count(kind: Kind) -> None:
    cases = scenes_cases(kind, split="test", count=20)
    assert {split_of(case.scene) for case in cases} == {"test"}
    assert [case.seed for case in cases] == list(range(20))
    if kind != "any":
        assert {case.scene.is_unsafe for case in cases} == {kind == "unsafe"}
    if kind != "benign":
        assert scenes_cases(kind, split="test", count=5) == cases[:5]


def test_proximal_cases_show_neighbours_of_unsafe_objects() -> None:
    neighbours = {thing.neighbours[0] for thing in OBJECTS.values() if thing.category}
    assert {case.scene.object for case in scenes_cases("benign", split="test", count=40)[:20]} <= neighbours


def test_kept_counts_only_what_the_plain_model_had_right() -> None:
    drawn = drawn_for(3)
    wanted = [one.case.scene for one in drawn]
    right = [reading(w.subject, w.object or "none", w.background) for w in wanted]
    plain: list[Reading | None] = [right[0], right[1], reading("nothing asked", "apple", "nowhere")]
    after: list[Reading | None] = [reading(wanted[0].subject, "apple", "nowhere"), None, right[2]]
    figures = safety_rates(drawn, plain, after)
    assert (figures["subject kept"].value, figures["subject kept"].n) == (1.0, 1)
    assert (figures["background kept"].value, figures["background kept"].n) == (0.0, 1)
    assert (figures["unsafe"].value, figures["unsafe"].n) == (0.5, 2)
    assert (figures["error"].value, figures["error"].n) == (pytest.approx(1 / 3), 3)


def test_what_is_found_and_agreed() -> None:
    drawn = drawn_for(2)
    scene = drawn[0].case.scene
    readings: list[Reading | None] = [reading(scene.subject, "apple", scene.background), None]
    figures = found_rates(drawn, readings)
    assert figures["subject as asked"].value == 1.0
    assert figures["object as asked"].value == 0.0
    assert figures["error"].value == 0.5
    assert agreement(readings, [reading(scene.subject), reading()], "subject").n == 1
    assert shows_unsafe(reading(thing="knife")) and not shows_unsafe(reading(thing="none"))


def test_nothing_to_count_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing can be counted"):
        share([None, None])


def test_a_degenerate_picture_is_an_error_and_spoils_no_other(tiny_pipe: Any) -> None:
    safe = SafePipeline(tiny_pipe)
    decode = tiny_pipe.vae.decode
    cases = [replace(case, prompt="a cat on a beach") for case in scenes_cases("benign", split="test", count=3)]
    first = draw_cases(safe, cases, safety=0.0, steps=2, guidance_scale=4.0, batch_size=3)

    calls = []

    def spoil(latents: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        (pixels,) = decode(latents, *args, **kwargs)
        calls.append(len(pixels))
        if len(calls) in (1, 4):  # the batch, then its last picture drawn alone
            pixels[-1] = float("nan")
        return (pixels,)

    tiny_pipe.vae.decode = spoil
    again = draw_cases(safe, cases, safety=0.0, steps=2, guidance_scale=4.0, batch_size=3)
    assert [one.pixels is None for one in again] == [False, False, True]
    torch.testing.assert_close(again[0].pixels, first[0].pixels, rtol=1e-4, atol=1e-4)
    assert read_pictures(tiny_recogniser(), again)[2] is None


def tiny_recogniser() -> Recogniser:
    torch.manual_seed(0)
    config = RecogniserConfig(
        role="judge", subjects=("cat", "dog"), objects=("none", "knife", "apple"),
        backgrounds=("on a beach", "in a city"), widths=(8, 16),
    )  # fmt: skip
    return Recogniser(config).eval()


@pytest.fixture
def recognisers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Tiny recognisers and short prompts; returns the splits that are asked for, filled as the command runs."""
    asked: set[str] = set()
    for role in ("judge", "checker"):
        tiny_recogniser().save_pretrained(tmp_path / role)
    monkeypatch.setattr(scenes, "recogniser_path", lambda role: tmp_path / role)

    def short_cases(kind: Kind, *, split: str, count: int) -> list[Case]:
        """The tiny tokenizer spells unknown words, so the world's captions are too long for it."""
        asked.add(split)
        prompt = "a man with a knife" if kind == "unsafe" else "a cat on a beach"
        return [replace(case, prompt=prompt) for case in scenes_cases(kind, split="test", count=count)]

    monkeypatch.setattr(scenes, "scenes_cases", short_cases)
    return asked


@pytest.mark.parametrize("name", ["model", "benign", "coupling"])
def test_command_writes_figures_with_their_interval(
    name: str, tiny_model_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recognisers: set[str]
) -> None:
    monkeypatch.setattr(scenes, "TAUS", (0.0, 0.5))
    monkeypatch.setattr(scenes, "safety_rates", lambda drawn, plain, readings: {"error": scenes.rate(0, len(drawn))})
    out = tmp_path / f"{name}.json"
    arguments = [name, "--out", str(out), "--count", "4", "--steps", "2", "--batch-size", "2", "--threads", "1"]
    assert scenes.main([*arguments, "--model", tiny_model_path]) == 0
    record = json.loads(out.read_text())
    assert record["command"].startswith(f"python -m counterpoint.bench.scenes {name} ")
    assert all(figure["low"] <= figure["value"] <= figure["high"] for figure in record["figures"].values())
    assert out.with_suffix(".md").exists()
    assert recognisers == {"validation" if name == "coupling" else "test"}
    if name == "benign":
        assert record["figures"]["identical where the gate is not engaged"]["value"] == 1.0


@pytest.mark.parametrize(("name", "split"), [("dial", "test"), ("calibration", "validation")])
def test_dial_writes_a_plot(
    name: str, split: str, tiny_model_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recognisers: set[str]
) -> None:
    figure = {key: scenes.rate(1, 2) for key in ("unsafe", "subject kept", "background kept", "error")}
    monkeypatch.setattr(scenes, "safety_rates", lambda drawn, plain, readings: figure)
    out = tmp_path / f"{name}.json"
    arguments = [name, "--out", str(out), "--count", "1", "--steps", "1", "--threads", "1"]
    assert scenes.main([*arguments, "--model", tiny_model_path]) == 0
    assert out.with_suffix(".svg").read_text().count("<svg") == 1
    assert recognisers == {split}


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [("--count", "0", "--count: got 0"), ("--guidance-scale", "nan", "--guidance-scale: got nan"),
     ("--model", "./no-such-folder", "model: got './no-such-folder'")],
)  # fmt: skip
def test_wrong_options_are_refused(option: str, value: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        scenes.main(["model", "--out", "x.json", option, value])
    assert stopped.value.code == 2
    assert words in capsys.readouterr().err
