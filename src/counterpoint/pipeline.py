"""SafePipeline: detect -> embed -> two streams -> check -> result, around a pipeline that is not changed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, Literal

import torch

from counterpoint.detectors.negative_prompt import judge_pairs
from counterpoint.embeddings.safe_prompt import SafePrompt
from counterpoint.engines import fused, reference
from counterpoint.engines.denoiser import one_call_at_a_time
from counterpoint.engines.drawn import Drawn, draw_plain
from counterpoint.engines.local_weight import LocalWeight
from counterpoint.families import Family, classes_of, family_of, readers, token_limit
from counterpoint.families.rewriting import as_encoded, with_encoded_negatives
from counterpoint.gate import standard_gate
from counterpoint.interfaces import (
    Coupling,
    Detection,
    Detector,
    InvalidInput,
    OnUnsafe,
    PictureDetector,
    SafeEmbedding,
    SafeText,
    SafetyFailure,
)
from counterpoint.levels import Safety, resolve_safety, schedule_for
from counterpoint.mixing import MixingSchedule
from counterpoint.options import check_doubt, check_mixing, check_picture_detectors, resolve_engine
from counterpoint.output_check import check_on_unsafe, hide_unsafe, judge
from counterpoint.pictures import check_pictures
from counterpoint.redraw import Noise, attempt, attempts_after, last_resort
from counterpoint.reports import Pictures, reports_of
from counterpoint.request import (
    Request,
    check_call,
    check_forbidden,
    check_tensors,
    check_texts,
    negative_prompts,
    with_safe_negatives,
    without_words_of_safe_texts,
)
from counterpoint.risk_weight import RiskWeight
from counterpoint.safe_text import safe_texts, standard_embedding, words_to_keep
from counterpoint.text_space import ChatGlmText, EncoderText, StableDiffusionText


class SafePipeline:
    """Wrap a diffusers pipeline: the same call, the same output object, plus `.safety`.

    A call in which no prompt is unsafe, or whose safety is 0, *is* the plain pipeline's call. In a
    list with both kinds of prompts the pictures of the harmless ones are the plain call's, too: bit
    for bit with the fused engine, whose batch is the plain one, and to float rounding with the
    reference engine, whose batch is larger. Threads that draw with one denoiser wait for each other.

    Args:
        pipe: A pipeline of one of `counterpoint.families`.
        safety: The dial, 0..1 or off, low, medium, high, max; each call may name another.
        detector: The gate; by default `gate.standard_gate`.
        embedding: What the safe stream is told where the call gives no `safe_prompt`; by default
            `safe_text.standard_embedding`.
        picture_detectors: The output check: who looks at each picture before it is returned, unless
            safety is 0. By default nobody.
        on_unsafe: What happens to a picture that one of them calls unsafe: "steer" draws it again at
            higher levels from the same noise, and blocks it where the highest does not help; "blur"
            and "block" hide it; "flag" returns it and says so. Each call may name another.
        doubt_from: Score 0..1 of the output check from which "steer" draws a steered picture again though it is not
            called unsafe, since its prompt asked for harm; it is never hidden for that. None = only what is called
            unsafe. 0.05 was chosen for the embedded model's checker; another detector has another scale.
        coupling: "joined" or "parallel" streams, see `engines.reference.run`.
        schedule: Weight and tau in place of the dial's; safety 0 still means off.
        engine: "fused" runs only the rows it needs, "reference" is literal and twice as dear; "auto"
            takes the fused engine for joined streams and the reference engine for parallel ones.
        risk: Lets the weight follow the gate's score; None = the level's weight whatever the score.
        local: Mixes only where the joined streams disagree; None = everywhere.
        reuse: At every how many mixed steps the fused engine runs the safe stream, from 1 = at each; None
            takes `engines.reuse.default_reuse`. The reference engine runs it at each.

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
        picture_detectors: Sequence[PictureDetector] = (),
        on_unsafe: OnUnsafe = "steer",
        doubt_from: float | None = 0.05,
        coupling: Coupling = "joined",
        schedule: MixingSchedule | None = None,
        engine: Literal["auto", "fused", "reference"] = "auto",
        risk: RiskWeight | None = None,
        local: LocalWeight | None = None,
        reuse: int | None = None,
    ) -> None:
        if coupling not in ("joined", "parallel"):
            raise InvalidInput("coupling", coupling, "joined or parallel")
        self.family = family_of(pipe)
        self.engine = resolve_engine(engine, coupling, self.family.engines(classes_of(pipe)))
        if risk is not None and not isinstance(risk, RiskWeight):
            raise InvalidInput("risk", risk, "None or a RiskWeight")
        self.risk = risk
        self.local, self.reuse = check_mixing(pipe, local, reuse, coupling, self.engine)
        self.pipe = pipe
        self.safety = resolve_safety(safety)
        self.text = text_space(pipe, self.family)
        self.detector = detector or standard_gate(self.text)
        self.embedding = embedding or standard_embedding()
        self.picture_detectors = check_picture_detectors(picture_detectors, self.family)
        self.on_unsafe = check_on_unsafe(on_unsafe)
        self.doubt_from = check_doubt(doubt_from)
        self.coupling: Coupling = coupling
        self.schedule = schedule

    def __call__(
        self,
        prompt: str | Sequence[str],
        *,
        safety: Safety | None = None,
        safe_prompt: str | None = None,
        on_unsafe: OnUnsafe | None = None,
        **call: Any,
    ) -> Any:
        """Draw; every other argument goes to the pipeline as it is.

        Args:
            prompt: One prompt, or a list of them.
            safety: The dial for this call; None takes the wrapper's.
            safe_prompt: What the safe stream is told, for all engaged prompts of this call.
            on_unsafe: What happens to pictures that the output check calls unsafe; None takes the wrapper's.
            call: The pipeline's own arguments (`num_inference_steps`, `generator`, ...).

        Returns:
            The pipeline's own output object with `.safety`, a list of one `SafetyReport` a picture;
            with `return_dict=False` a tuple that ends with that list.

        Raises:
            InvalidInput: A field holds what is not allowed.
            ForbiddenPrompt: The call asks for what is drawn at no level, safety 0 included.
            SafetyFailure: Gate, safe embedding, streams or output check failed: no picture is returned.
            Exception: Whatever the pipeline itself or a callback raises; no picture is returned then either.
        """
        started = time.perf_counter()
        how = self.on_unsafe if on_unsafe is None else check_on_unsafe(on_unsafe)
        embedding = self.embedding if safe_prompt is None else SafePrompt(safe_prompt)
        with one_call_at_a_time(self.pipe):  # the gate reads with the pipeline's tokenizer: one thread at a time, too
            request = self._read(prompt, safety, safe_prompt, call)
            as_tuple = not request.call.pop("return_dict", True)
            noise = Noise.before(request.call, self.pipe._execution_device)
            drawn = self._draw(request, embedding)
            if self.picture_detectors and request.safety > 0.0:
                self._check(drawn, request, embedding, noise, how)
        output, seconds = drawn.output, (time.perf_counter() - started) / request.num_images
        output.safety = [replace(report, cost=replace(report.cost, seconds=seconds)) for report in drawn.reports]
        if as_tuple:
            return (*(getattr(output, part.name) for part in fields(output)), output.safety)
        return output

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"SafePipeline has no {name!r}; the diffusers pipeline is its attribute `pipe`")

    def _read(
        self, prompt: str | Sequence[str], safety: Safety | None, safe_prompt: str | None, call: dict[str, Any]
    ) -> Request:
        if not isinstance(prompt, (str, list, tuple)):
            raise InvalidInput("prompt", prompt, "a text or a list of texts")
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        check_texts(self.text, prompts, safe_prompt)
        check_forbidden(prompts, safe_prompt, call)
        check_call(self.pipe, self.family, call)
        dial = self.safety if safety is None else resolve_safety(safety)
        schedule = self.schedule if self.schedule is not None and dial > 0.0 else schedule_for(dial)
        understood, detections = self._understand(prompts, safe_prompt, call)
        request = Request(
            prompt=prompt if isinstance(prompt, str) else list(prompts),  # Z-Image writes into its list
            prompts=understood,
            num_images_per_prompt=int(call.get(self.family.num_per_prompt) or 1),
            schedule=schedule,
            safety=dial,
            detections=detections,
            call=dict(call),
        )
        check_tensors(request)
        if self.picture_detectors and request.safety > 0.0 and call.get("output_type") == "latent":
            raise InvalidInput("output_type", "latent", "pil, np or pt: the output check has to see the picture")
        return replace(request, strengths=self._strengths(request))

    def _understand(
        self, prompts: list[str], safe_prompt: str | None, call: dict[str, Any]
    ) -> tuple[list[str], list[Detection]]:
        """Return the gate's verdict on each prompt, and the text that it is about.

        Where the pipeline rewrites a prompt before it encodes it, the gate reads both; what is unsafe as it is encoded
        is understood so, since that is what would be drawn.
        """
        count = len(prompts)
        detections = self._detect(prompts, negative_prompts(call, count))
        try:
            encoded, encoded_call = as_encoded(self.pipe, call, prompts), with_encoded_negatives(self.pipe, call)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise SafetyFailure(
                f"the pipeline's rewriting of the prompt failed ({reason}); nothing is drawn"
            ) from error
        if encoded == prompts and negative_prompts(encoded_call, count) == negative_prompts(call, count):
            return prompts, detections
        check_forbidden(encoded, safe_prompt, encoded_call)
        again = self._detect(encoded, negative_prompts(encoded_call, count))
        chosen = [
            (rewritten, after) if after.is_unsafe else (prompt, before)
            for prompt, before, rewritten, after in zip(prompts, detections, encoded, again, strict=True)
        ]
        return [text for text, _ in chosen], [detection for _, detection in chosen]

    def _detect(self, prompts: list[str], negative_prompts: list[str]) -> list[Detection]:
        try:
            return judge_pairs(self._gate, prompts, negative_prompts)
        except Exception as error:
            reason = str(error) if isinstance(error, SafetyFailure) else f"{type(error).__name__}: {error}"
            raise SafetyFailure(f"the gate failed ({reason}); nothing is drawn") from error

    def _gate(self, prompts: Sequence[str]) -> list[Detection]:
        detections = self.detector(prompts)
        if len(detections) != len(prompts):
            raise SafetyFailure(f"it judged {len(detections)} of {len(prompts)} prompts")
        if not all(detection.is_finite for detection in detections):
            raise SafetyFailure("it gave a score that is not finite")
        return detections

    def _draw(self, request: Request, embedding: SafeEmbedding) -> Pictures:
        """Draw a call once; raises where a picture is degenerate."""
        safe = self._safe_texts(request, embedding)
        drawn = self._steer(request, safe) if safe else self._draw_plain(request)
        pictures = getattr(drawn.output, self.family.output)
        flagged = getattr(drawn.output, "nsfw_content_detected", None) or [False] * len(pictures)
        check_pictures([picture for picture, is_black in zip(pictures, flagged, strict=True) if not is_black])
        names = {index: text.chosen or type(embedding).__name__ for index, text in safe.items()}
        strengths = request.strengths or [1.0] * request.num_images
        reports = reports_of(request, drawn, flagged, names, strengths, self.coupling, self.engine, self.local)
        return Pictures(drawn.output, reports, name=self.family.output)

    def _strengths(self, request: Request) -> list[float] | None:
        """Return what the gate's scores leave of the schedule's weight, one a picture."""
        if self.risk is None:
            return None
        scores = [request.detections[request.prompt_of(image)].score for image in range(request.num_images)]
        return [self.risk.strength(score, request.schedule.weight) for score in scores]

    def _check(
        self, drawn: Pictures, request: Request, embedding: SafeEmbedding, noise: Noise, on_unsafe: OnUnsafe
    ) -> None:
        """Look at the pictures; in place, draw unsafe and doubtful ones again, and hide or flag what stays unsafe."""
        drawn.look(judge(self.picture_detectors, drawn.images))
        flagged = drawn.to_draw_again(self.doubt_from)
        all_steered = all(drawn.reports[image].action == "steered" for image in flagged)
        for safety in attempts_after(request.safety, all_steered=all_steered) if on_unsafe == "steer" else ():
            if not flagged:
                break
            stronger, places = attempt(request, drawn, flagged, safety, self.family.num_per_prompt)
            with noise.again(self.pipe._execution_device):
                again = self._draw(stronger, last_resort(embedding))
            again.look(judge(self.picture_detectors, again.images))
            drawn.take(again, places)
            flagged = drawn.to_draw_again(self.doubt_from)
        hide_unsafe(drawn, "block" if on_unsafe == "steer" else on_unsafe)

    def _safe_texts(self, request: Request, embedding: SafeEmbedding) -> dict[int, SafeText]:
        """Return what the safe stream is told, by the index of the engaged prompt."""
        indices = sorted({request.prompt_of(image) for image in request.engaged})
        texts_only = {name: value for name, value in request.call.items() if not name.startswith("negative_prompt")}
        safe = safe_texts(
            {index: (request.prompts[index], request.detections[index]) for index in indices},
            embedding,
            text_space=self.text,
            detect=lambda text: self._understand([text], None, texts_only)[1][0],
        )
        if any(text.prompt_embeds is not None for text in safe.values()):
            if not isinstance(self.text, StableDiffusionText):
                raise InvalidInput("embedding", "token embeddings", f"a text; {self.family.name} has further encoders")
            if request.call.get("clip_skip") is not None:
                raise InvalidInput("clip_skip", request.call["clip_skip"], "None with this safe embedding")
        return safe

    def _draw_plain(self, request: Request) -> Drawn:
        return draw_plain(self.pipe, {"prompt": request.prompt, **request.call}, request.num_images)

    def _steer(self, request: Request, safe: dict[int, SafeText]) -> Drawn:
        request = replace(request, call=self._with_safe_negatives(request, safe))
        if self.engine == "reference":
            return self._steer_by_reference(request, safe)
        return fused.run(
            self.pipe,
            {"prompt": request.prompt, **request.call},
            self._safe_call(request, safe),
            request.schedule,
            num_images=request.num_images,
            engaged=request.engaged,
            reuse=self.reuse,
            local=self.local,
            strengths=request.strengths,
        )

    def _with_safe_negatives(self, request: Request, safe: dict[int, SafeText]) -> dict[str, Any]:
        """Return the call with negative prompts that push no safety away, as the pipeline encodes them either."""
        kept = {i: words_to_keep(text, request.prompts[i], request.detections[i]) for i, text in safe.items()}

        def harmless(call: dict[str, Any]) -> dict[str, Any]:
            return without_words_of_safe_texts(with_safe_negatives(call), kept, len(request.prompts))

        encoded = with_encoded_negatives(self.pipe, request.call)
        changed = harmless(encoded)
        return harmless(request.call) if changed == encoded else changed

    def _safe_call(self, request: Request, safe: dict[int, SafeText]) -> dict[str, Any]:
        """Return the arguments that differ in the safe stream: the prompt, or its token embeddings."""
        texts = [(safe[i].prompt if i in safe else None) or prompt for i, prompt in enumerate(request.prompts)]
        if all(text.prompt_embeds is None for text in safe.values()):
            return {"prompt": texts[0] if isinstance(request.prompt, str) else texts}
        assert isinstance(self.text, StableDiffusionText)
        embeds = [
            given
            if index in safe and (given := safe[index].prompt_embeds) is not None
            else self.text.encode_for(request.call, text)[0]
            for index, text in enumerate(texts)
        ]
        return {"prompt": None, "prompt_embeds": torch.cat([part.to(self.pipe._execution_device) for part in embeds])}

    def _steer_by_reference(self, request: Request, safe: dict[int, SafeText]) -> Drawn:
        assert isinstance(self.text, StableDiffusionText)
        call, n = dict(request.call), request.num_images_per_prompt
        generator, latents = call.pop("generator", None), call.pop("latents", None)
        prompt_embeds, negative = self.text.encode_for(call, request.prompt, call.pop("negative_prompt", None))
        call.pop("num_images_per_prompt", None)
        safe_embeds = {
            index: self.text.encode_for(call, text.prompt or "")[0]
            if text.prompt_embeds is None
            else text.prompt_embeds
            for index, text in safe.items()
        }
        streams = reference.Streams(
            prompt_embeds=prompt_embeds.repeat_interleave(n, dim=0),
            negative_prompt_embeds=None if negative is None else negative.repeat_interleave(n, dim=0),
            safe_prompt_embeds=torch.cat([safe_embeds[request.prompt_of(i)] for i in request.engaged]).to(
                prompt_embeds
            ),
            engaged=request.engaged,
        )
        return reference.run(
            self.pipe, streams, request.schedule,
            coupling=self.coupling, generator=generator, latents=latents, call=call, local=self.local,
            strengths=request.strengths,
        )  # fmt: skip


def text_space(pipe: Any, family: Family) -> EncoderText:
    """Return what the gate reads with: the first text encoder; the last one says how long a prompt may be."""
    if family.takes_embeddings:
        return StableDiffusionText(pipe)
    pairs = readers(pipe, family)
    kind = ChatGlmText if family.reads_with == "ChatGLM" else EncoderText
    return kind(
        *pairs[0], max_tokens=token_limit(pipe, family), reader=pairs[-1][0], device=lambda: pipe._execution_device
    )
