"""Frechet, kernel and perceptual distances against other ways of computing them, and the spaces they are counted in."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import linalg
from torch import Tensor

from counterpoint.interfaces import InvalidInput
from counterpoint.metrics.catalogue import build_space
from counterpoint.metrics.feature_space import LayeredSpace
from counterpoint.metrics.frechet_distance import frechet_distance
from counterpoint.metrics.kernel_distance import kernel_distance
from counterpoint.metrics.perceptual_distance import perceptual_distance, perceptual_metrics
from counterpoint.metrics.scenes_features import ScenesFeatures
from counterpoint.metrics.scenes_judge import as_pixels
from counterpoint.metrics.set_distance import set_distance
from counterpoint.metrics.shot import Shot
from counterpoint.recognisers import HEADS, Recogniser, RecogniserConfig


def features(rows: int, width: int, seed: int, shift: float = 0.0, scale: float = 1.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(width, width, generator=torch.Generator().manual_seed(99))
    return scale * torch.randn(rows, width, generator=generator) @ mixing + shift


@pytest.mark.parametrize(("rows", "others", "width"), [(40, 60, 6), (200, 30, 12)])
def test_frechet_is_the_textbook_formula_with_a_matrix_root(rows: int, others: int, width: int) -> None:
    first, second = features(rows, width, 1), features(others, width, 2, shift=0.7, scale=1.5)
    means = [side.double().numpy().mean(0) for side in (first, second)]
    covariances = [np.cov(side.double().numpy(), rowvar=False) for side in (first, second)]
    root = linalg.sqrtm(covariances[0] @ covariances[1]).real
    wanted = ((means[0] - means[1]) ** 2).sum() + np.trace(covariances[0] + covariances[1] - 2 * root)
    assert frechet_distance(first, second) == pytest.approx(wanted, rel=1e-8)
    assert frechet_distance(second, first) == pytest.approx(wanted, rel=1e-8)


def test_frechet_of_fewer_pictures_than_features() -> None:
    """The product of the covariances is singular here, where a matrix root is not to be trusted."""
    first, second = features(5, 30, 1), features(7, 30, 2)
    roots = []
    for side in (first, second):
        values, vectors = np.linalg.eigh(np.cov(side.double().numpy(), rowvar=False))
        roots.append(vectors @ np.diag(np.sqrt(values.clip(0))) @ vectors.T)
    gap = first.double().numpy().mean(0) - second.double().numpy().mean(0)
    cross = np.linalg.svd(roots[0] @ roots[1], compute_uv=False).sum()
    wanted = (gap**2).sum() + (roots[0] ** 2).sum() + (roots[1] ** 2).sum() - 2 * cross
    assert frechet_distance(first, second) == pytest.approx(wanted, rel=1e-6)


def test_frechet_of_one_set_is_nothing_and_of_a_shifted_one_its_square() -> None:
    first = features(50, 8, 3)
    assert frechet_distance(first, first) == pytest.approx(0.0, abs=1e-9)
    assert frechet_distance(first, first + 2.0) == pytest.approx(8 * 2.0**2, rel=1e-5)


def naive_kernel_distance(first: Tensor, second: Tensor, are_paired: bool) -> float:
    def kernel(x: Tensor, y: Tensor) -> float:
        return (sum(float(a) * float(b) for a, b in zip(x, y, strict=True)) / len(x) + 1.0) ** 3

    def mean(one: Tensor, other: Tensor, skip_equal: bool) -> float:
        places = [(i, j) for i, j in product(range(len(one)), range(len(other))) if not (skip_equal and i == j)]
        return sum(kernel(one[i], other[j]) for i, j in places) / len(places)

    return mean(first, first, True) + mean(second, second, True) - 2 * mean(first, second, are_paired)


@pytest.mark.parametrize("are_paired", [False, True])
def test_kernel_distance_is_the_double_loop(are_paired: bool) -> None:
    first, second = features(9, 5, 1), features(9 if are_paired else 7, 5, 2, shift=0.5)
    wanted = naive_kernel_distance(first, second, are_paired)
    assert kernel_distance(first, second, are_paired=are_paired) == pytest.approx(wanted, rel=1e-9)


def test_kernel_distance_has_no_bias_and_frechet_has() -> None:
    """Two samples of one distribution: the mean over many draws is 0 for the one, and falls with n for the other."""
    pairs = [(features(12, 4, 2 * n), features(12, 4, 2 * n + 1)) for n in range(400)]
    kernels = np.array([kernel_distance(*pair) for pair in pairs])
    assert abs(kernels.mean()) < 3 * kernels.std() / 400**0.5
    assert kernels.min() < 0.0
    assert np.mean([frechet_distance(*pair) for pair in pairs]) > 1.0


def test_equal_pairs_lie_at_exactly_zero() -> None:
    first = features(20, 6, 1)
    assert kernel_distance(first, first, are_paired=True) == 0.0
    found = set_distance(first, first, [str(n) for n in range(20)])
    assert (found.kernel.value, found.kernel.low, found.kernel.high) == (0.0, 0.0, 0.0)
    assert found.frechet.value == pytest.approx(0.0, abs=1e-9) and found.frechet.low >= 0.0


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    """The kernel distance of N(0, 1) and N(1, 1), D = 1: its expectation is known from the moments of both."""
    moments = {0: 1.0, 1: 0.0, 2: 1.0, 3: 0.0}
    shifted = {0: 1.0, 1: 1.0, 2: 2.0, 3: 4.0}
    wanted = sum(c * (moments[k] - shifted[k]) ** 2 for k, c in ((1, 3), (2, 3), (3, 1)))
    hits = 0
    for seed in range(60):
        generator = torch.Generator().manual_seed(seed)
        one, other = torch.randn(80, 1, generator=generator), torch.randn(80, 1, generator=generator) + 1.0
        figure = set_distance(one, other, [str(n) for n in range(80)]).kernel
        hits += figure.low <= wanted <= figure.high
    assert 50 <= hits <= 60


def test_several_pictures_of_one_prompt_do_not_narrow_the_interval() -> None:
    one, other = features(20, 4, 1), features(20, 4, 2, shift=0.5)
    names = [str(n) for n in range(20)]
    once = set_distance(one, other, names).frechet
    often = set_distance(one.repeat(5, 1), other.repeat(5, 1), names * 5).frechet
    assert often.high - often.low > 0.7 * (once.high - once.low)


def test_wrong_features_are_refused() -> None:
    good = features(12, 4, 1)
    names = [str(n) for n in range(12)]
    broken = good.clone()
    broken[3, 1] = float("nan")
    with pytest.raises(InvalidInput, match="finite"):
        frechet_distance(good, broken)
    with pytest.raises(InvalidInput, match="features"):
        kernel_distance(good, features(12, 5, 1))
    with pytest.raises(InvalidInput, match="one a pair"):
        kernel_distance(good, good[:5], are_paired=True)
    with pytest.raises(InvalidInput, match="at least 10 prompts"):
        set_distance(good, good, ["the same"] * 12)
    with pytest.raises(InvalidInput, match="the same number"):
        set_distance(good, good[:11], names)


def test_the_perceptual_distance_counts_directions_place_by_place() -> None:
    one, other = torch.zeros(1, 2, 1, 2), torch.zeros(1, 2, 1, 2)
    one[0, :, 0, 0], other[0, :, 0, 0] = torch.tensor([3.0, 0.0]), torch.tensor([0.0, 5.0])  # at a right angle: 2
    one[0, :, 0, 1], other[0, :, 0, 1] = torch.tensor([1.0, 1.0]), torch.tensor([4.0, 4.0])  # the same: 0
    assert perceptual_distance([one], [other]).item() == pytest.approx(1.0)
    assert perceptual_distance([one, one], [other, one]).item() == pytest.approx(0.5)
    assert perceptual_distance([one], [-one]).item() == pytest.approx(4.0)
    with pytest.raises(InvalidInput, match="layers"):
        perceptual_distance([one], [other[:, :1]])
    with pytest.raises(InvalidInput, match="layers"):
        perceptual_distance([], [])


@pytest.fixture
def judge_path(tmp_path: Path) -> str:
    torch.manual_seed(0)
    config = RecogniserConfig(role="judge", subjects=("cat", "dog"), objects=("none", "knife"),
                              backgrounds=("beach",), widths=(8, 16, 24))  # fmt: skip
    Recogniser(config).save_pretrained(tmp_path / "judge")
    return str(tmp_path / "judge")


def pictures(count: int) -> list[Image.Image]:
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(256, size=(40, 56, 3), dtype=np.uint8)) for _ in range(count)]


def test_scenes_features_are_what_the_heads_read(judge_path: str) -> None:
    space = build_space("scenes", {"folder": judge_path})
    assert isinstance(space, ScenesFeatures) and space.name == "scenes judge features"
    vectors = space(pictures(3))
    assert vectors.shape == (3, 48)
    with torch.no_grad():
        logits = space.recogniser(as_pixels(pictures(3)))
        for head in HEADS:
            torch.testing.assert_close(space.recogniser.heads[head](vectors), logits[head])
    assert not space.recogniser.heads["object"]._forward_pre_hooks


def test_scenes_layers_are_those_of_the_body(judge_path: str) -> None:
    space = ScenesFeatures(judge_path)
    assert isinstance(space, LayeredSpace)
    layers = space.layers(pictures(2))
    assert [tuple(layer.shape[1:]) for layer in layers] == [
        (8, 64, 64), (16, 32, 32), (16, 32, 32), (24, 16, 16), (24, 16, 16)
    ]  # fmt: skip
    with torch.no_grad():
        torch.testing.assert_close(layers[-1], space.recogniser.body(as_pixels(pictures(2)) * 2 - 1))
    assert perceptual_distance(layers, layers).tolist() == [0.0, 0.0]
    other = space.layers(pictures(3)[1:])
    assert min(perceptual_distance(layers, other).tolist()) > 0.0


def test_columns_say_what_they_are_and_count_by_what_was_asked() -> None:
    harmless, unsafe = perceptual_metrics("some features")
    assert "LPIPS-like proxy" in harmless.name and "some features" in harmless.title
    common: dict[str, Any] = {"prompt": "a", "seed": 0, "perceptual": {"some features": 0.25}}
    shot = Shot(is_unsafe=False, **common)
    assert (harmless.outcome(shot, shot), unsafe.outcome(shot, shot)) == (0.25, None)
    shot = Shot(is_unsafe=True, **common)
    assert (harmless.outcome(shot, shot), unsafe.outcome(shot, shot)) == (None, 0.25)
    assert harmless.better == "lower" and unsafe.better is None


def test_wrong_spaces_are_refused() -> None:
    with pytest.raises(InvalidInput, match="scenes, clip, inception"):
        build_space("dino", {})
    with pytest.raises(InvalidInput, match=r"clip\.clip"):
        build_space("clip", {})


class StandIn(torch.nn.Module):
    """Called as the published Inception file is; its numbers are the picture's mean colours, repeated."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, pictures: Tensor, return_features: bool = False) -> Tensor:
        means = pictures.float().mean(dim=(2, 3)).mean(dim=1, keepdim=True)
        return means.repeat(1, self.width if return_features else 8)


def test_inception_reads_bytes_of_pictures_of_any_size(tmp_path: Path) -> None:
    path = tmp_path / "inception.pt"
    torch.jit.script(StandIn(2048)).save(str(path))  # type: ignore[no-untyped-call]
    space = build_space("inception", {"weights": str(path)})
    vectors = space([Image.new("RGB", (8, 6), (30, 60, 90)), Image.new("L", (5, 9), 200)])
    assert vectors.shape == (2, 2048) and vectors[:, 7].tolist() == [60.0, 200.0]
    assert space.name == "Inception features" and len(space.recipe()["weights_sha256"]) == 64


def test_what_is_no_inception_is_refused(tmp_path: Path) -> None:
    torch.jit.script(StandIn(16)).save(str(tmp_path / "narrow.pt"))  # type: ignore[no-untyped-call]
    (tmp_path / "text.pt").write_text("nothing")
    for name in ("text.pt", "none.pt"):
        with pytest.raises(InvalidInput, match="TorchScript"):
            build_space("inception", {"weights": str(tmp_path / name)})
    with pytest.raises(InvalidInput, match="2048"):
        build_space("inception", {"weights": str(tmp_path / "narrow.pt")})([Image.new("RGB", (4, 4))])
