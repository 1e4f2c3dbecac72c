"""The node pack against the stub: the dial's ends are exact, the middle is the equation, failures stop the graph."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
import tomllib
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from counterpoint.detectors.ensemble import Ensemble
from counterpoint.gate import shared_classifier
from counterpoint.interfaces import Detection, ForbiddenPrompt, InvalidInput, SafetyFailure
from counterpoint.levels import schedule_for
from counterpoint.mixing import mix
from tests.comfyui.stub import Patcher, comfy, denoiser, sample, sample_dual

PACK = Path(__file__).parents[2] / "comfyui"
SIGMAS = torch.tensor([14.0, 7.0, 3.0, 1.0, 0.4, 0.0])
SCALE = 4.0


def load(name: str = "counterpoint_pack") -> ModuleType:
    """Load the folder as ComfyUI does: as a package, by its path."""
    for old in [key for key in sys.modules if key.partition(".")[0] == name]:
        del sys.modules[old]
    spec = importlib.util.spec_from_file_location(name, PACK / "__init__.py", submodule_search_locations=[str(PACK)])
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def pack(monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, module in comfy().items():
        monkeypatch.setitem(sys.modules, name, module)
    load()
    return SimpleNamespace(
        guidance=importlib.import_module("counterpoint_pack.guidance"),
        checks=importlib.import_module("counterpoint_pack.checks"),
        nodes=importlib.import_module("counterpoint_pack.nodes_v1"),
    )


def parts() -> tuple[Any, ...]:
    torch.manual_seed(0)
    start = torch.randn(2, 4, 8, 8) * SIGMAS[0]
    return start, *([(embedding, {"pooled_output": None})] for embedding in torch.randn(3, 1, 4, 1, 1))


def patched(pack: Any, safe: Any, safety: float, model: Any = None, engage: bool = True) -> Any:
    """What the node gives for a CONDITIONING."""
    (model,) = pack.nodes.SafeGuidance().run(model or Patcher(denoiser), safe, safety, engage)
    return model


def test_the_ends_of_the_dial_are_exact(pack: Any) -> None:
    start, prompt, safe, negative = parts()
    model = Patcher(denoiser)
    assert patched(pack, safe, 0.0, model) is model and patched(pack, safe, 1.0, model, engage=False) is model
    for scale in (SCALE, 1.0):  # at 1 ComfyUI leaves the negative prompt out
        drawn = sample(patched(pack, safe, 1.0, model), start, prompt, negative, SIGMAS, scale)
        assert torch.equal(drawn, sample(model, start, safe, negative, SIGMAS, scale))
        assert not torch.equal(drawn, sample(model, start, prompt, negative, SIGMAS, scale))
    assert model.model_options.keys() == {"transformer_options"}  # the model itself is as it was


def test_between_the_ends_it_is_the_equation_on_joined_streams(pack: Any) -> None:
    latents, prompt, safe, negative = parts()
    drawn = sample(patched(pack, safe, 0.5), latents, prompt, negative, SIGMAS, SCALE)
    schedule, steps = schedule_for(0.5), len(SIGMAS) - 1
    for i in range(steps):  # z' = (1 - w) step(z, c) + w step(z, s)
        both = [sample(Patcher(denoiser), latents, c, negative, SIGMAS[i : i + 2], SCALE) for c in (prompt, safe)]
        latents = mix(both[0], both[1], schedule.weight_at(i, steps))
    assert torch.allclose(drawn, latents, atol=1e-4)


def test_the_safe_conditioning_keeps_its_name_through_all_steps(pack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, plain = [], sys.modules["comfy.samplers"].calc_cond_batch  # type: ignore[attr-defined]

    def calc_cond_batch(model: Any, conds: Any, *more: Any) -> Any:
        seen.append(conds[0][0]["uuid"])
        return plain(model, conds, *more)

    monkeypatch.setattr(sys.modules["comfy.samplers"], "calc_cond_batch", calc_cond_batch)
    start, prompt, safe, negative = parts()
    sample(patched(pack, safe, 1.0), start, prompt, negative, SIGMAS, SCALE)
    assert len(seen) == len(SIGMAS) - 1 and len(set(seen)) == 1


def test_a_step_is_found_between_two_sigmas_too(pack: Any) -> None:
    def step(sigma: float) -> tuple[int, int]:
        options = {"transformer_options": {"sample_sigmas": SIGMAS}}
        result: tuple[int, int] = pack.guidance.step_of({"sigma": torch.tensor([sigma]), "model_options": options})
        return result

    assert [step(sigma) for sigma in (14.0, 7.0, 5.0, 0.4, 0.1)] == [(0, 5), (1, 5), (1, 5), (4, 5), (4, 5)]


def test_it_fails_closed(pack: Any) -> None:
    start, prompt, safe, negative = parts()
    broken = pack.guidance.patch(Patcher(denoiser), safe, 1.0, lambda conditioning, args: args["input"] * float("nan"))
    with pytest.raises(SafetyFailure, match="not finite"):
        sample(broken, start, prompt, negative, SIGMAS, SCALE)
    with pytest.raises(SafetyFailure, match="sample_sigmas"):
        pack.guidance.step_of({"sigma": torch.ones(1), "model_options": {}})
    with pytest.raises(InvalidInput, match="safety"):
        patched(pack, safe, 1.5)


def test_a_guider_that_leaves_the_safe_stream_out_draws_nothing(pack: Any) -> None:
    start, prompt, safe, negative = parts()
    sample_dual(Patcher(denoiser), start, prompt, negative, SIGMAS, SCALE)  # the stub itself runs
    model = patched(pack, safe, 0.5)
    with pytest.raises(SafetyFailure, match="leaves the safe stream out"):
        sample_dual(model, start, prompt, negative, SIGMAS, SCALE)
    sample(model, start, prompt, negative, SIGMAS, SCALE)
    with pytest.raises(SafetyFailure):  # after a good run, too
        sample_dual(model, start, prompt, negative, SIGMAS, SCALE)


def test_the_prompt_check(pack: Any) -> None:
    def gate(prompts: Any) -> list[Detection]:
        return [Detection(is_unsafe="knife" in prompts[0], score=0.9, categories={"violence": 0.9})]

    assert pack.checks.check_prompt("a chef with a knife", gate) == (True, 0.9, "violence 0.90")
    assert pack.checks.check_prompt("a cat", gate)[0] is False
    with pytest.raises(SafetyFailure):
        pack.checks.check_prompt("a cat", lambda prompts: [Detection(is_unsafe=False, score=float("nan"))])
    pack.checks.is_forbidden = lambda text: True
    with pytest.raises(ForbiddenPrompt):
        pack.checks.check_prompt("a cat", gate)


UNREADABLE = "xqzv bkkd wwpt zzqk"


@pytest.mark.parametrize(
    ("text", "engage"),
    [("a chef with a knife in a room", True), (UNREADABLE, True), ("a dog in a forest", False)],
)
def test_the_prompt_check_is_the_products_gate(pack: Any, text: str, engage: bool) -> None:
    """The trained classifier alone lets the first two through; the word list and the readability check do not."""
    (classifier,) = shared_classifier("balanced")([text])
    assert not classifier.is_unsafe
    assert pack.nodes.SafetyPromptCheck().run(text)[0] is engage
    assert isinstance(pack.checks.prompt_detector(), Ensemble)


def test_the_image_gate_hides_only_what_is_unsafe(pack: Any) -> None:
    def first_is_unsafe(pictures: Any) -> list[Detection]:
        return [Detection(is_unsafe=i == 0, score=float(i == 0)) for i in range(len(pictures))]

    images = torch.rand(2, 16, 16, 3)
    for how in pack.checks.HOW:
        shown, unsafe = pack.checks.gate_images(images, how, [first_is_unsafe])
        assert unsafe and shown.shape == images.shape
        assert torch.equal(shown[1], images[1]) and (shown[0] - images[0]).abs().mean() > 0.05
    assert torch.allclose(shown[0], torch.full((16, 16, 3), 128 / 255))
    with pytest.raises(SafetyFailure):
        pack.checks.gate_images(images, "blur", [lambda pictures: []])
    with pytest.raises(SafetyFailure, match="finite"):
        pack.checks.gate_images(images * float("nan"), "blur", [first_is_unsafe])
    with pytest.raises(InvalidInput, match="how"):
        pack.checks.gate_images(images, "show", [first_is_unsafe])


def test_the_older_schema_names_what_its_nodes_take() -> None:
    pack = load()
    assert pack.NODE_CLASS_MAPPINGS.keys() == pack.NODE_DISPLAY_NAME_MAPPINGS.keys()
    assert not hasattr(pack, "comfy_entrypoint")
    for node in pack.NODE_CLASS_MAPPINGS.values():
        taken = getattr(node, node.FUNCTION).__code__
        assert set(node.INPUT_TYPES()["required"]) == set(taken.co_varnames[1 : taken.co_argcount])


class Kind:
    """A type of the newer schema: remembers what it was given."""

    @staticmethod
    def Input(name: str, **options: Any) -> tuple[str, dict[str, Any]]:
        return name, options

    @staticmethod
    def Output(**options: Any) -> dict[str, Any]:
        return options


def test_the_newer_schema_is_taken_where_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = {name: Kind for name in ("Model", "Conditioning", "Float", "Boolean", "String", "Image", "Combo")}
    io = SimpleNamespace(ComfyNode=object, Schema=SimpleNamespace, NodeOutput=lambda *values: values, **kinds)
    for name in ("comfy_api", "comfy_api.v0_0_2"):
        module = ModuleType(name)
        module.__spec__ = importlib.util.spec_from_loader(name, None)
        module.__path__ = []  # type: ignore[attr-defined]
        module.io, module.ComfyExtension = io, object  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, name, module)
    pack = load("counterpoint_pack_v3")
    assert not hasattr(pack, "NODE_CLASS_MAPPINGS")
    nodes = asyncio.run(asyncio.run(pack.comfy_entrypoint()).get_node_list())
    assert len(nodes) == 3
    for node in nodes:
        taken = node.execute.__func__.__code__
        inputs = [name for name, _ in node.define_schema().inputs]
        assert inputs == list(taken.co_varnames[1 : taken.co_argcount])


def test_the_registrys_metadata() -> None:
    data = tomllib.loads((PACK / "pyproject.toml").read_text(encoding="utf-8"))
    assert len(data["project"]["name"]) < 100 and "comfyui" not in data["project"]["name"].lower()
    assert len(data["project"]["version"].split(".")) == 3 and data["tool"]["comfy"]["DisplayName"]
    assert all(data["tool"]["comfy"].values())  # an empty address of an icon is none
