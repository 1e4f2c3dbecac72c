"""SafePipeline: detect -> embed -> two streams -> check -> result, around a pipeline that is not changed."""

from __future__ import annotations

import inspect
import time
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor

from counterpoint.detectors.concept_similarity import ConceptSimilarity
from counterpoint.embeddings.safe_prompt import SafePrompt
from counterpoint.embeddings.word_removal import WordRemoval
from counterpoint.engines import reference
from counterpoint.interfaces import (
    Action,
    Cost,
    CounterpointError,
    Coupling,
    Detection,
    Detector,
    InvalidInput,
    SafeEmbedding,
    SafeText,
    SafetyFailure,
    SafetyReport,
)
from counterpoint.levels import Safety, resolve_safety, schedule_for
from counterpoint.mixing import MixingSchedule
from counterpoint.pictures import check_pictures
from counterpoint.request import Request, check_call, check_family, check_tensors, check_texts
from counterpoint.text_space import StableDiffusionText
from counterpoint.thresholds import threshold_for


class SafePipeline:
    """Wrap a text-to-image pipeline: the same call, the same output object, plus `.safety`.

    A call in which no prompt is unsafe, or whose safety is 0, *is* the plain pipeline's call. In a
    list with both kinds of prompts the harmless ones share a batch with the others, so that their
    pictures agree with the plain call's to float rounding only.

    Args:
        pipe: Any diffusers pipeline that takes `prompt_embeds`; Stable Diffusion 1.x and 2.x now.
        safety: The dial, 0..1 or off, low, medium, high, max; each call may name another.
        detector: The gate; by default similarity to unsafe concepts in the pipeline's text encoder.
        embedding: What the safe stream is told where the call gives no `safe_prompt`.
        coupling: "joined" or "parallel" streams, see `engines.reference.run`.
        schedule: Weight and tau in place of the dial's; safety 0 still means off.

    Raises:
        InvalidInput: An argument is not allowed, or the pipeline's family is not supported.
    """

    def __init__(
        self,
        pipe: Any,
        *,
        safety: Safety = "medium",
        detector: Detector | None = None,
        embedding: SafeEmbedding | None = None,
        coupling: Coupling = "joined",
        schedule: MixingSchedule | None = None,
    ) -> None:
        if coupling not in ("joined", "parallel"):
            raise InvalidInput("coupling", coupling, "joined or parallel")
        check_family(pipe)
        self.pipe = pipe
        self.safety = resolve_safety(safety)
        self.text = StableDiffusionText(pipe)
        self.detector = detector or ConceptSimilarity(self.text, threshold=threshold_for(self.text))
        self.embedding = embedding or WordRemoval()
        self.coupling: Coupling = coupling
        self.schedule = schedule

    def __call__(
        self,
        prompt: str | Sequence[str],
        *,
        safety: Safety | None = None,
        safe_prompt: str | None = None,
        **call: Any,
    ) -> Any:
        """Draw; every other argument goes to the pipeline as it is.

        Args:
            prompt: One prompt, or a list of them.
            safety: The dial for this call; None takes the wrapper's.
            safe_prompt: What the safe stream is told, for all engaged prompts of this call.
            call: The pipeline's own arguments (`num_inference_steps`, `generator`, ...).

        Returns:
            The pipeline's own output object with `.safety`, a list of one `SafetyReport` a picture;
            with `return_dict=False` a tuple that ends with that list.

        Raises:
            InvalidInput: A field holds what is not allowed.
            SafetyFailure: Gate, safe embedding or streams failed: no picture is returned.
            Exception: Whatever the pipeline itself or a callback raises; no picture is returned then either.
        """
        started = time.perf_counter()
        request = self._read(prompt, safety, safe_prompt, call)
        embedding = self.embedding if safe_prompt is None else SafePrompt(safe_prompt)
        as_tuple = not request.call.pop("return_dict", True)
        with _counting_rows(self.pipe) as rows:
            if request.engaged:
                output, weights = self._steer(request, embedding)
            else:
                output, weights = self.pipe(prompt=request.prompt, **request.call), []
        flagged = getattr(output, "nsfw_content_detected", None) or [False] * len(output.images)
        check_pictures([image for image, is_black in zip(output.images, flagged, strict=True) if not is_black])
        seconds = (time.perf_counter() - started) / request.num_images
        output.safety = self._reports(request, embedding, weights, flagged, sum(rows), seconds)
        if as_tuple:
            return (*(getattr(output, part.name) for part in fields(output)), output.safety)
        return output

    def _read(
        self, prompt: str | Sequence[str], safety: Safety | None, safe_prompt: str | None, call: dict[str, Any]
    ) -> Request:
        if not isinstance(prompt, (str, list, tuple)):
            raise InvalidInput("prompt", prompt, "a text or a list of texts")
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        check_texts(self.text, prompts, safe_prompt)
        check_call(self.pipe, call)
        dial = self.safety if safety is None else resolve_safety(safety)
        schedule = self.schedule if self.schedule is not None and dial > 0.0 else schedule_for(dial)
        request = Request(
            prompt=prompt if isinstance(prompt, str) else prompts,
            prompts=prompts,
            num_images_per_prompt=int(call.get("num_images_per_prompt") or 1),
            schedule=schedule,
            safety=dial,
            detections=self._detect(prompts),
            call=dict(call),
        )
        check_tensors(request)
        return request

    def _detect(self, prompts: list[str]) -> list[Detection]:
        try:
            detections = self.detector(prompts)
        except Exception as error:
            raise SafetyFailure(f"the gate failed ({type(error).__name__}: {error}); nothing is drawn") from error
        if len(detections) != len(prompts):
            raise SafetyFailure(f"the gate judged {len(detections)} of {len(prompts)} prompts; nothing is drawn")
        return detections

    def _steer(self, request: Request, embedding: SafeEmbedding) -> tuple[Any, list[float]]:
        call, engaged, n = dict(request.call), request.engaged, request.num_images_per_prompt
        generator, latents = call.pop("generator", None), call.pop("latents", None)
        prompt_embeds, negative = self._encode(request.prompt, call.pop("negative_prompt", None), call)
        call.pop("num_images_per_prompt", None)
        safe = {p: self._safe_embeds(request, embedding, p) for p in sorted({i // n for i in engaged})}
        streams = reference.Streams(
            prompt_embeds=prompt_embeds.repeat_interleave(n, dim=0),
            negative_prompt_embeds=None if negative is None else negative.repeat_interleave(n, dim=0),
            safe_prompt_embeds=torch.cat([safe[i // n] for i in engaged]).to(prompt_embeds),
            engaged=engaged,
        )
        output, weights = reference.run(
            self.pipe, streams, request.schedule,
            coupling=self.coupling, generator=generator, latents=latents, call=call,
        )  # fmt: skip
        for name, value in dict(output).items():
            if value is not None:
                output[name] = _pick_rows(value, streams.output_rows)
        return output, weights

    @torch.no_grad()
    def _encode(
        self, prompt: str | list[str], negative_prompt: Any, call: dict[str, Any]
    ) -> tuple[Tensor, Tensor | None]:
        """Encode as the pipeline's own call would: (B, L, D) each, None where guidance is off."""
        default = inspect.signature(type(self.pipe).__call__).parameters["guidance_scale"].default
        with_guidance = call.get("guidance_scale", default) > 1.0
        attention = call.get("cross_attention_kwargs") or {}
        embeds, negative = self.pipe.encode_prompt(
            prompt=prompt,
            device=self.pipe._execution_device,
            num_images_per_prompt=1,
            do_classifier_free_guidance=with_guidance,
            negative_prompt=negative_prompt,
            lora_scale=attention.get("scale"),
            clip_skip=call.get("clip_skip"),
        )
        return embeds, negative if with_guidance else None

    def _safe_embeds(self, request: Request, embedding: SafeEmbedding, index: int) -> Tensor:
        """Safe token embeddings of one prompt, (1, L, D)."""
        try:
            safe: SafeText = embedding(request.prompts[index], request.detections[index])
            if safe.prompt_embeds is None:
                if not safe.prompt:
                    raise SafetyFailure("the safe embedding gave neither a text nor embeddings")
                self._check_safe_text(safe.prompt, embedding)
                embeds, _ = self._encode(safe.prompt, None, request.call)
            else:
                if request.call.get("clip_skip") is not None:
                    raise InvalidInput("clip_skip", request.call["clip_skip"], "None with this safe embedding")
                embeds = safe.prompt_embeds
            if not bool(torch.isfinite(embeds).all()):
                raise SafetyFailure("the safe embedding holds NaN or infinity; nothing is drawn")
        except CounterpointError:
            raise
        except Exception as error:
            message = f"the safe embedding failed ({type(error).__name__}: {error}); nothing is drawn"
            raise SafetyFailure(message) from error
        return embeds

    def _check_safe_text(self, text: str, embedding: SafeEmbedding) -> None:
        """Ask the gate about the safe text, too, unless it holds the prompt by design."""
        self.text.check_length("safe_prompt", text)
        if getattr(embedding, "keeps_prompt", False) or not self._detect([text])[0].is_unsafe:
            return
        if isinstance(embedding, SafePrompt):
            raise InvalidInput("safe_prompt", "a text that the gate calls unsafe", "a text that it does not")
        raise SafetyFailure("the safe embedding gave a text that the gate calls unsafe; give a safe_prompt")

    def _reports(
        self, request: Request, embedding: SafeEmbedding, weights: list[float], flagged: Sequence[bool],
        denoiser_rows: int, seconds: float,
    ) -> list[SafetyReport]:  # fmt: skip
        # All rows, shared out: an engaged picture has two streams.
        parts = request.num_images + len(request.engaged)
        reports = []
        for image in range(request.num_images):
            steered = image in request.engaged
            detection = request.detections[image // request.num_images_per_prompt]
            action: Action = "blocked" if flagged[image] else "steered" if steered else "passed"
            rows = denoiser_rows // parts
            reports.append(
                SafetyReport(
                    action=action,
                    safety=request.safety,
                    weight=max(weights) if steered else 0.0,
                    tau=request.schedule.tau if steered else 1.0,
                    steps_mixed=sum(weight > 0.0 for weight in weights) if steered else 0,
                    score=detection.score,
                    categories=dict(detection.categories),
                    embedding=type(embedding).__name__ if steered else None,
                    coupling=self.coupling if steered else None,
                    cost=Cost(denoiser_rows=rows * (2 if steered else 1), plain_rows=rows, seconds=seconds),
                )
            )
        return reports


def _pick_rows(value: Any, rows: list[int]) -> Any:
    """Pick rows of a list, array or tensor whose first axis is the batch."""
    return [value[row] for row in rows] if isinstance(value, list) else value[rows]


@contextmanager
def _counting_rows(pipe: Any) -> Any:
    """Count the rows that the denoiser runs inside the block; the hook is gone afterwards."""
    rows: list[int] = []

    def count(module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        rows.append(len(args[0] if args else kwargs["sample"]))

    handle = pipe.unet.register_forward_pre_hook(count, with_kwargs=True)
    try:
        yield rows
    finally:
        handle.remove()
