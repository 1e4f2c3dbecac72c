"""SafePipeline: what it passes on, what it reports, and that it fails closed."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Generator

from counterpoint.detectors.concept_similarity import ConceptSimilarity
from counterpoint.detectors.ensemble import Ensemble
from counterpoint.embeddings.safety_context import SafetyContext
from counterpoint.families import family_of
from counterpoint.interfaces import DegeneratePicture, Detection, ForbiddenPrompt, InvalidInput, SafeText, SafetyFailure
from counterpoint.pipeline import SafePipeline
from counterpoint.request import check_call

UNSAFE, BENIGN = "a chef with a knife in a room", "a cat with a book on a beach"
STEPS = {"num_inference_steps": 3, "output_type": "np"}


def knife_gate(prompts: Any) -> list[Detection]:
    return [Detection(is_unsafe="knife" in p, score=0.5, categories={"violence": 0.5}) for p in prompts]


def drop_knife(prompt: str, detection: Detection) -> SafeText:
    return SafeText(prompt=prompt.replace(" with a knife", ""))


def guard(pipe: Any, **options: Any) -> SafePipeline:
    return SafePipeline(pipe, **{"detector": knife_gate, "embedding": drop_knife, **options})


def state(pipe: Any) -> str:
    """Hash of all weights and of all hooks of the denoiser."""
    digest = hashlib.sha256()
    for module in (pipe.unet, pipe.vae, pipe.text_encoder):
        for name, value in module.state_dict().items():
            digest.update(name.encode() + value.numpy().tobytes())
    for module in pipe.unet.modules():
        digest.update(str((list(module._forward_pre_hooks), list(module._forward_hooks))).encode())
    return digest.hexdigest()


@pytest.mark.parametrize("engine", ["fused", "reference"])
def test_no_weight_and_no_hook_is_left_changed(tiny_pipe: Any, engine: Any) -> None:
    before = state(tiny_pipe)
    guard(tiny_pipe, engine=engine)([UNSAFE, BENIGN], **STEPS)
    assert state(tiny_pipe) == before


@pytest.mark.parametrize("engine", ["fused", "reference"])
def test_hooks_are_undone_when_the_body_raises(tiny_pipe: Any, engine: Any) -> None:
    before = state(tiny_pipe)

    def fail(*args: Any, **kwargs: Any) -> Any:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        guard(tiny_pipe, engine=engine)(UNSAFE, callback_on_step_end=fail, **STEPS)
    assert state(tiny_pipe) == before
    torch.randn(2, 4, 8, 8)  # the shared-noise mode is gone: two rows are two draws
    assert not torch.equal(*torch.randn(2, 16))


@pytest.mark.parametrize(("engine", "rows"), [("auto", 14), ("fused", 14), ("reference", 20)])
def test_reports_say_what_happened(tiny_pipe: Any, engine: Any, rows: int) -> None:
    steps = {**STEPS, "num_inference_steps": 5}
    out = guard(tiny_pipe, engine=engine)([UNSAFE, BENIGN], safety="medium", **steps)
    steered, passed = out.safety
    assert (steered.action, steered.weight, steered.tau, steered.steps_mixed) == ("steered", 0.75, 0.2, 4)
    assert (passed.action, passed.weight, passed.steps_mixed, passed.embedding) == ("passed", 0.0, 0, None)
    # 5 steps under guidance: 2 rows each. Fused: 1 row more at 4 steps; reference: another stream of 2 rows.
    assert (steered.cost.denoiser_rows, steered.cost.plain_rows) == (rows, 10)
    assert passed.cost.denoiser_rows == passed.cost.plain_rows == 10
    assert (steered.engine, passed.engine) == ("reference" if engine == "reference" else "fused", None)


def test_at_full_weight_the_fused_engine_costs_what_the_plain_pipeline_does(tiny_pipe: Any) -> None:
    cost = guard(tiny_pipe)(UNSAFE, safety="max", **STEPS).safety[0].cost
    assert cost.denoiser_rows == cost.plain_rows == 6


def test_parallel_streams_run_on_the_reference_engine_only(tiny_pipe: Any) -> None:
    assert guard(tiny_pipe, coupling="parallel")(UNSAFE, **STEPS).safety[0].engine == "reference"
    with pytest.raises(InvalidInput, match="joined streams only"):
        guard(tiny_pipe, coupling="parallel", engine="fused")
    with pytest.raises(InvalidInput, match="engine"):
        guard(tiny_pipe, engine="fastest")


def test_harmless_pictures_of_a_mixed_list_are_the_plain_ones_bit_for_bit(tiny_pipe: Any) -> None:
    arguments = {**STEPS, "num_images_per_prompt": 2}
    plain = tiny_pipe([BENIGN, UNSAFE, BENIGN], generator=Generator().manual_seed(0), **arguments).images
    out = guard(tiny_pipe)([BENIGN, UNSAFE, BENIGN], generator=Generator().manual_seed(0), **arguments)
    assert [report.action for report in out.safety] == ["passed"] * 2 + ["steered"] * 2 + ["passed"] * 2
    for image in (0, 1, 4, 5):
        assert (out.images[image] == plain[image]).all()
    assert not (out.images[2:4] == plain[2:4]).all()


@pytest.mark.parametrize("engine", ["fused", "reference"])
def test_token_embeddings_steer_as_their_text_does(tiny_pipe: Any, engine: Any) -> None:
    """Also beside a prompt whose safe embedding is a text."""
    other = "a dog with a knife on a beach"

    def embed(prompt: str, detection: Detection) -> SafeText:
        safe = drop_knife(prompt, detection)
        if prompt == other:
            return safe
        return SafeText(prompt_embeds=tiny_pipe.encode_prompt(safe.prompt, "cpu", 1, False)[0], chosen="by hand")

    arguments = {**STEPS, "safety": "medium", "negative_prompt": ["snow"] * 3}

    def run(embedding: Any) -> Any:
        safe = guard(tiny_pipe, engine=engine, embedding=embedding)
        return safe([UNSAFE, BENIGN, other], generator=Generator().manual_seed(0), **arguments)

    out = run(embed)
    assert abs(out.images - run(drop_knife).images).max() < 1e-5
    assert [report.embedding for report in out.safety] == ["by hand", None, "function"]


def test_threads_draw_what_they_draw_alone(tiny_pipe: Any) -> None:
    """Steered and plain calls of one wrapper: the pipeline and its scheduler serve one call at a time."""
    safe, prompts = guard(tiny_pipe), [UNSAFE, BENIGN, "a dog with a knife in a city"]

    def run(prompt: str) -> Any:
        return safe(prompt, generator=Generator().manual_seed(0), **STEPS).images

    alone = [run(prompt) for prompt in prompts]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(run, prompts * 2))
    assert all((image == alone[i % 3]).all() for i, image in enumerate(together))


def test_the_callers_safe_prompt_is_what_the_safe_stream_is_told(tiny_pipe: Any) -> None:
    def run(**arguments: Any) -> Any:
        return guard(tiny_pipe)(UNSAFE, safety=1, generator=Generator().manual_seed(0), **STEPS, **arguments).images

    plain = tiny_pipe(BENIGN, generator=Generator().manual_seed(0), **STEPS).images
    assert abs(run(safe_prompt=BENIGN) - plain).max() < 1e-4
    assert abs(run() - plain).max() > 1e-3


@pytest.mark.parametrize("output_type", ["pil", "np", "pt", "latent"])
def test_every_output_type_has_one_picture_and_one_report_a_prompt(tiny_pipe: Any, output_type: str) -> None:
    out = guard(tiny_pipe)([UNSAFE, BENIGN], num_inference_steps=3, output_type=output_type)
    assert len(out.images) == len(out.safety) == 2
    for prompts in ([UNSAFE, BENIGN], [BENIGN, BENIGN]):
        images, _, reports = guard(tiny_pipe)(
            prompts, num_inference_steps=3, output_type=output_type, return_dict=False
        )
        assert len(images) == len(reports) == 2


@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        ("prompt", {"prompt": ""}),
        ("prompt", {"prompt": "  "}),
        ("prompt", {"prompt": []}),
        ("prompt", {"prompt": ["a cat", None]}),
        ("prompt", {"prompt": "cat " * 60}),
        ("safe_prompt", {"safe_prompt": ""}),
        ("safe_prompt", {"safe_prompt": "cat " * 60}),
        ("safety", {"safety": 1.5}),
        ("safety", {"safety": "extreme"}),
        ("guidance_scale", {"guidance_scale": float("nan")}),
        ("guidance_scale", {"guidance_scale": float("inf")}),
        ("num_inference_steps", {"num_inference_steps": 0}),
        ("num_images_per_prompt", {"num_images_per_prompt": 0}),
        ("prompt_embeds", {"prompt_embeds": torch.zeros(1, 32, 32)}),
        ("no_such_argument", {"no_such_argument": 1}),
        ("generator", {"generator": [Generator(), Generator()]}),
        ("generator", {"generator": 3}),
        ("latents", {"latents": torch.zeros(2, 4, 8, 8)}),
        ("latents", {"latents": [1]}),
        ("prompt", {"prompt": None}),
        ("num_inference_steps", {"num_inference_steps": True}),
        ("callback_on_step_end", {"callback_on_step_end": 3}),
    ],
)
@pytest.mark.parametrize("safety", [0.0, 0.5])
def test_bad_input_is_refused_by_name(tiny_pipe: Any, field: str, arguments: dict[str, Any], safety: float) -> None:
    with pytest.raises(InvalidInput) as caught:
        guard(tiny_pipe, safety=safety)(**{"prompt": UNSAFE, **STEPS, **arguments})
    assert caught.value.field == field


def test_none_is_taken_where_the_pipeline_takes_it(tiny_pipe: Any) -> None:
    family = family_of(tiny_pipe)
    check_call(tiny_pipe, family, {"num_inference_steps": None, "timesteps": [900, 500, 100]})
    check_call(tiny_pipe, family, {"num_inference_steps": None, "sigmas": [1.0, 0.5]})
    for wrong in ({"num_inference_steps": None}, {"guidance_scale": None}):  # no defaults of the pipeline's own
        with pytest.raises(InvalidInput, match="None"):
            check_call(tiny_pipe, family, wrong)


@pytest.mark.parametrize("part", ["detector", "embedding"])
def test_a_part_that_crashes_returns_no_picture(tiny_pipe: Any, part: str) -> None:
    def crash(*args: Any) -> Any:
        raise OSError("lost")

    with pytest.raises(SafetyFailure, match="lost"):
        guard(tiny_pipe, **{part: crash})(UNSAFE, **STEPS)


def test_a_gate_that_forgets_a_prompt_returns_no_picture(tiny_pipe: Any) -> None:
    with pytest.raises(SafetyFailure, match="1 of 2"):
        guard(tiny_pipe, detector=lambda prompts: knife_gate(prompts[:1]))([BENIGN, UNSAFE], **STEPS)


@pytest.mark.parametrize("text", [SafeText(), SafeText(prompt_embeds=torch.full((1, 32, 32), float("nan")))])
def test_an_empty_or_nan_safe_embedding_returns_no_picture(tiny_pipe: Any, text: SafeText) -> None:
    with pytest.raises(SafetyFailure):
        guard(tiny_pipe, embedding=lambda prompt, detection: text)(UNSAFE, **STEPS)


@pytest.mark.parametrize("prompt", [UNSAFE, BENIGN])
@pytest.mark.parametrize("value", [0.0, float("nan")])
def test_a_black_or_nan_picture_is_a_failure(tiny_pipe: Any, prompt: str, value: float) -> None:
    decode = tiny_pipe.vae.decode
    tiny_pipe.vae.decode = lambda *args, **kwargs: tuple(x * 0 + value for x in decode(*args, **kwargs))
    with pytest.raises(DegeneratePicture):
        guard(tiny_pipe)(prompt, **STEPS)


def test_a_pipeline_of_another_family_is_refused() -> None:
    with pytest.raises(InvalidInput, match="pipe"):
        SafePipeline(object())


def test_the_default_gate_is_calibrated_for_an_encoder_that_it_has_not_met(tiny_pipe: Any) -> None:
    gate = SafePipeline(tiny_pipe).detector
    assert isinstance(gate, Ensemble)
    (detector,) = [part for part in gate.detectors if isinstance(part, ConceptSimilarity)]
    assert -1.0 <= detector.threshold <= 1.0
    assert detector(["a chef with a knife"])[0].evidence == ("knife",)  # the word itself has the cosine 1


def test_a_safe_prompt_that_the_gate_calls_unsafe_is_refused(tiny_pipe: Any) -> None:
    with pytest.raises(InvalidInput, match="safe_prompt"):
        guard(tiny_pipe)(UNSAFE, safe_prompt="a cat with a knife", **STEPS)
    with pytest.raises(SafetyFailure, match="calls unsafe"):
        guard(tiny_pipe, embedding=lambda prompt, detection: SafeText(prompt=prompt))(UNSAFE, **STEPS)
    assert guard(tiny_pipe, embedding=SafetyContext())(UNSAFE, **STEPS).safety[0].action == "steered"


@pytest.mark.parametrize(
    ("prompts", "call"),
    [
        ("a nude child", {}),
        (["a cat", "a nude child"], {}),
        ("a nude woman", {"safe_prompt": "a child in a park"}),
        ("a child", {"negative_prompt": "clothes"}),
        (["a cat", "a child"], {"negative_prompt": ["", "clothes"]}),
    ],
)
@pytest.mark.parametrize("safety", ["off", "max"])
def test_what_is_drawn_at_no_level_reaches_no_model(
    tiny_pipe: Any, prompts: Any, call: dict[str, Any], safety: str
) -> None:
    def never(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("a model or another detector ran")

    safe = SafePipeline(tiny_pipe, detector=never)
    tiny_pipe.unet.forward = tiny_pipe.text_encoder.forward = never
    with pytest.raises(ForbiddenPrompt) as refused:
        safe(prompts, safety=safety, num_inference_steps=2, **call)
    assert "child" not in str(refused.value)


def test_what_belongs_to_the_pipeline_is_found_there(tiny_pipe: Any) -> None:
    safe = SafePipeline(tiny_pipe, detector=lambda prompts: [Detection(is_unsafe=False, score=0.0)])
    with pytest.raises(
        AttributeError, match="no 'enable_model_cpu_offload'; the diffusers pipeline is its attribute `pipe`"
    ):
        safe.enable_model_cpu_offload()
