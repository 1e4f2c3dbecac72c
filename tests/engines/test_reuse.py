"""Reuse of the safe prediction's difference between steps: exact where it is off, counted where it is on."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from counterpoint.engines import fused, planning
from counterpoint.engines.drawn import Drawn
from counterpoint.engines.local_weight import LocalWeight
from counterpoint.engines.prediction import is_finite, rows_of, with_rows
from counterpoint.interfaces import Detection, InvalidInput, SafetyFailure
from counterpoint.mixing import MixingSchedule
from counterpoint.pipeline import SafePipeline

UNSAFE, SAFE, BENIGN = "a chef with a knife in a room", "a chef in a room", "a cat with a book on a beach"
HALF = MixingSchedule(weight=0.6, tau=0.25)  # 6 of 8 steps are mixed


def draw(pipe: Any, schedule: MixingSchedule = HALF, *, prompts: Any = (UNSAFE,), **options: Any) -> Drawn:
    call = {"prompt": list(prompts), "num_inference_steps": 8, "output_type": "latent"}
    safe_prompts = [SAFE if prompt == UNSAFE else prompt for prompt in prompts]
    engaged = [index for index, prompt in enumerate(prompts) if prompt == UNSAFE]
    return fused.run(
        pipe, {**call, "generator": Generator().manual_seed(0)}, {"prompt": safe_prompts}, schedule,
        num_images=len(prompts), engaged=engaged, **options,
    )  # fmt: skip


def by_hand(pipe: Any, k: int) -> Tensor:
    """The same picture by a loop of our own, straight from the formula."""
    scheduler, unet = pipe.scheduler, pipe.unet
    (prompt, negative), (safe, _) = (pipe.encode_prompt(text, "cpu", 1, True) for text in (UNSAFE, SAFE))
    scheduler.set_timesteps(8)
    z = torch.randn((1, 4, 8, 8), generator=Generator().manual_seed(0)) * scheduler.init_noise_sigma
    difference = torch.zeros(())
    with torch.no_grad():
        for i, t in enumerate(scheduler.timesteps):
            unconditional, original = (unet(z, t, encoder_hidden_states=c).sample for c in (negative, prompt))
            if i >= 2:
                if (i - 2) % k == 0:
                    difference = unet(z, t, encoder_hidden_states=safe).sample - original
                original = original + HALF.weight * difference
            z = scheduler.step(unconditional + 7.5 * (original - unconditional), t, z).prev_sample
    return z


@pytest.mark.parametrize("k", [1, 2, 3, 100])
def test_it_is_the_formula(tiny_pipe: Any, k: int) -> None:
    expected, drawn = by_hand(tiny_pipe, k), draw(tiny_pipe, reuse=k)
    assert float((drawn.output.images - expected).abs().max() / (expected.max() - expected.min())) <= 1e-4
    assert (k == 1) == torch.equal(drawn.output.images, draw(tiny_pipe).output.images)


@pytest.mark.parametrize(("k", "extra"), [(1, 6), (2, 3), (3, 2), (4, 2), (6, 1), (100, 1)])
def test_the_rows_that_ran_are_counted_and_each_step_is_mixed(tiny_pipe: Any, k: int, extra: int) -> None:
    ran: list[int] = []
    handle = tiny_pipe.unet.register_forward_hook(lambda module, args, output: ran.append(len(output[0])))
    drawn = draw(tiny_pipe, reuse=k, prompts=(UNSAFE, BENIGN))
    handle.remove()
    assert drawn.rows == [drawn.plain_rows + extra, drawn.plain_rows]
    assert sum(ran) == sum(drawn.rows)  # the recording call ends before the denoiser answers
    assert drawn.weights == [0.0] * 2 + [0.6] * 6


def test_harmless_pictures_stay_the_plain_ones(tiny_pipe: Any) -> None:
    drawn = draw(tiny_pipe, reuse=3, prompts=(BENIGN, UNSAFE))
    plain = tiny_pipe(
        [BENIGN, UNSAFE], num_inference_steps=8, output_type="latent", generator=Generator().manual_seed(0)
    ).images
    assert torch.equal(drawn.output.images[0], plain[0]) and not torch.equal(drawn.output.images[1], plain[1])


def test_full_weight_needs_no_reuse(tiny_pipe: Any) -> None:
    """The safe row takes the prompt's place: nothing is left to save, and nothing is approximated."""
    full = MixingSchedule(weight=1.0)
    drawn = draw(tiny_pipe, full, reuse=4)
    assert torch.equal(drawn.output.images, draw(tiny_pipe, full).output.images)
    assert drawn.rows == [drawn.plain_rows]


def test_a_step_that_is_not_mixed_still_returns_no_picture(tiny_pipe: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    find, calls = fused.Conditioning.find, []

    def miss_the_fourth(self: Any, arguments: Any) -> Any:
        calls.append(0)
        return [] if len(calls) == 4 else find(self, arguments)

    monkeypatch.setattr(fused.Conditioning, "find", miss_the_fourth)
    with pytest.raises(SafetyFailure, match="did not run at step 5"):
        draw(tiny_pipe, reuse=2)


@pytest.mark.parametrize("reuse", [0, -1, 1.5, True])
def test_other_numbers_are_refused(tiny_pipe: Any, reuse: Any) -> None:
    with pytest.raises(InvalidInput, match="reuse"):
        SafePipeline(tiny_pipe, reuse=reuse)


def test_the_reference_engine_takes_none(tiny_pipe: Any) -> None:
    with pytest.raises(InvalidInput, match="reuse"):
        SafePipeline(tiny_pipe, engine="reference", reuse=2)


def test_the_wrapper_hands_it_on_and_reports_the_rows(tiny_pipe: Any) -> None:
    def gate(prompts: Any) -> list[Detection]:
        return [Detection(is_unsafe="knife" in prompt, score=1.0) for prompt in prompts]

    safe = SafePipeline(tiny_pipe, detector=gate, schedule=HALF, reuse=3)
    report = safe(UNSAFE, safe_prompt=SAFE, num_inference_steps=8, output_type="latent").safety[0]
    assert (report.cost.denoiser_rows - report.cost.plain_rows, report.steps_mixed) == (2, 6)
    assert (report.reuse, report.local) == (3, None)
    local = LocalWeight(threshold=0.5)
    report, passed = SafePipeline(tiny_pipe, detector=gate, schedule=HALF, local=local)(
        [UNSAFE, BENIGN], num_inference_steps=2, output_type="latent"
    ).safety
    assert (report.reuse, report.local) == (1, {"threshold": 0.5, "softness": 0.5, "smooth": 3})
    assert (passed.reuse, passed.local) == (None, None)
    json.dumps(asdict(report))


@pytest.mark.parametrize(("steps", "k"), [(19, 1), (20, 2)])
def test_many_steps_share_the_safe_stream_and_few_do_not(tiny_pipe: Any, steps: int, k: int) -> None:
    def gate(prompts: Any) -> list[Detection]:
        return [Detection(is_unsafe="knife" in prompt, score=1.0) for prompt in prompts]

    safe = SafePipeline(tiny_pipe, detector=gate, schedule=HALF)
    report = safe(UNSAFE, safe_prompt=SAFE, num_inference_steps=steps, output_type="latent").safety[0]
    assert report.reuse == k
    assert report.cost.denoiser_rows - report.cost.plain_rows == -(-report.steps_mixed // k)


def test_rows_that_share_a_call_say_what_they_say_apart(tiny_pipe: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small call of engaged pictures takes the safe rows along; with a harmless picture they run apart."""
    calls: list[int] = []
    tiny_pipe.unet.register_forward_hook(lambda module, args, output: calls.append(len(output[0])))
    together, joined_calls = draw(tiny_pipe), list(calls)
    calls.clear()
    draw(tiny_pipe, prompts=(UNSAFE, BENIGN))
    assert joined_calls == [2, 2, *[3] * 6] and calls == [4, 4, *[4, 1] * 6]
    calls.clear()
    monkeypatch.setattr(planning, "JOINED_ROWS", 2)
    apart = draw(tiny_pipe)
    assert calls == [2, 2, *[2, 1] * 6] and apart.rows == together.rows
    spread = together.output.images.max() - together.output.images.min()
    assert float((apart.output.images - together.output.images).abs().max() / spread) <= 1e-5


def test_predictions_of_all_shapes_are_taken_apart_and_put_together() -> None:
    tensor, rows = torch.arange(6.0).reshape(3, 2), [0, 2]
    for prediction in (tensor, (tensor,), [tensor[0], tensor[1], tensor[2]], (tensor, [*tensor])):
        parts = rows_of(prediction, rows)
        changed = with_rows(prediction, rows, [part + 10 for part in parts])
        again = rows_of(changed, range(3))
        expected = tensor + torch.tensor([[10.0], [0.0], [10.0]])
        assert all(torch.equal(part.reshape(-1, 2), expected) for part in again if len(part) == 3)
        assert torch.equal(torch.cat([p for p in again if len(p) == 1] or [expected]), expected)
        assert torch.equal(tensor, torch.arange(6.0).reshape(3, 2))
    assert is_finite((tensor, [tensor])) and not is_finite([tensor, tensor / 0])
    with pytest.raises(SafetyFailure, match="cannot be mixed"):
        rows_of("text", rows)
