"""Reads texts and sent pictures in a thread of its own, so that a check never waits for a drawing.

The models are shared with the drawing thread, the tokenizers are not: fast tokenizers cannot be used
by two threads at once.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from counterpoint.detectors.negative_prompt import judge_pairs
from counterpoint.interfaces import Detection, InvalidInput, SafetyFailure
from counterpoint.output_check import judge
from counterpoint.request import check_forbidden, check_texts
from counterpoint.server.health import Health, Stage

if TYPE_CHECKING:
    from PIL.Image import Image

    from counterpoint.pipeline import SafePipeline

Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Received:
    """A picture to edit."""

    picture: Image
    """As it came, upright, RGB."""
    image: Image
    """The same at the size to draw."""
    mask: Image | None
    """White where it is to change, of that size, too; None = everywhere."""


def reading_twin(pipe: Any) -> Any:
    """Return a pipeline that shares all models with `pipe` and has tokenizers of its own."""
    twin = copy.copy(pipe)
    # Not by setattr: pipelines write a component's name into their shared configuration then.
    vars(twin).update({name: copy.deepcopy(part) for name, part in vars(pipe).items() if "tokenizer" in name})
    return twin


class GateThread:
    """The gate, the text checks and the picture detectors of one model.

    Args:
        safe: A pipeline that nothing else reads with, see `reading_twin`; it draws nothing.
        health: Where failures are counted and work is timed.
    """

    def __init__(self, safe: SafePipeline, health: Health) -> None:
        self.safe, self.health = safe, health
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="gate")

    @property
    def looks_at_pictures(self) -> bool:
        """Whether there is a picture detector."""
        return bool(self.safe.picture_detectors)

    async def review(self, prompt: str, negative_prompt: str | None, safe_prompt: str | None) -> Detection:
        """Check the texts of a request before it waits, and return the gate's verdict on them.

        Raises:
            InvalidInput: A text is empty, or longer than the model reads.
            ForbiddenPrompt: The texts ask for what is drawn at no level.
            SafetyFailure: The gate failed.
        """
        return await self._run("gate", lambda: self._review(prompt, negative_prompt, safe_prompt))

    async def read(self, texts: Sequence[str], field: str) -> list[Detection]:
        """Return the gate's verdicts.

        Args:
            texts: What to read.
            field: Where they come from, for messages.

        Raises:
            InvalidInput: A text is empty, or longer than the model reads.
            SafetyFailure: The gate failed.
        """
        return await self._run("gate", lambda: self._read(texts, field))

    async def look(self, load: Sequence[Callable[[], list[Image]]]) -> list[Detection]:
        """Return the picture detectors' verdicts on pictures that are decoded in this thread.

        Args:
            load: Each returns what one picture may look like; the worst of it counts.

        Raises:
            InvalidInput: A picture is refused.
            SafetyFailure: A detector failed.
        """

        def work() -> list[Detection]:
            return [_worst(judge(self.safe.picture_detectors, one())) for one in load]

        return await self._run("picture check", work)

    async def receive(self, load: Callable[[], Received]) -> tuple[Received, Detection]:
        """Return a picture that is to be edited, decoded in this thread, and the picture detectors' verdict.

        They look at it as it came and as it will be drawn from: the two may show different things.

        Raises:
            InvalidInput: The picture is refused, or there is no picture detector.
            SafetyFailure: A detector failed.
        """
        if not self.looks_at_pictures:
            allowed = "nothing: this server has no picture detector (`picture_detectors`) that could look at it"
            raise InvalidInput("image", "a picture", allowed)

        def work() -> tuple[Received, Detection]:
            received = load()
            verdicts = judge(self.safe.picture_detectors, [received.picture, received.image])
            return received, _worst(verdicts)

        return await self._run("picture check", work)

    def try_out(self, prompt: str, image: Image) -> None:
        """Read a harmless prompt and look at a picture, in this thread; blocks another one until it is done.

        Raises:
            SafetyFailure: The gate or a detector failed.
        """

        def work() -> None:
            self._review(prompt, None, None)
            if self.safe.picture_detectors:
                judge(self.safe.picture_detectors, [image])

        self._thread.submit(work).result()

    def close(self) -> None:
        """End the thread when its work is done."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _run(self, stage: Stage, work: Callable[[], Result]) -> Result:
        def watched() -> Result:  # in the thread: it is counted, too, when nobody waits any more
            with self.health.watch(stage):
                return work()

        return await asyncio.get_running_loop().run_in_executor(self._thread, watched)

    def _review(self, prompt: str, negative_prompt: str | None, safe_prompt: str | None) -> Detection:
        check_texts(self.safe.text, [prompt], safe_prompt)
        if negative_prompt:
            self.safe.text.check_length("negative_prompt", negative_prompt)
        check_forbidden([prompt], safe_prompt, {"negative_prompt": negative_prompt})
        return self._judge([prompt], [negative_prompt])[0]

    def _read(self, texts: Sequence[str], field: str) -> list[Detection]:
        for text in texts:
            if not text.strip():
                raise InvalidInput(field, "an empty text", "texts that are not empty")
            self.safe.text.check_length(field, text)
        return self._judge(texts, [None] * len(texts))

    def _judge(self, texts: Sequence[str], negative_prompts: Sequence[str | None]) -> list[Detection]:
        try:
            detections = judge_pairs(self.safe.detector, texts, negative_prompts)
        except Exception as error:
            raise SafetyFailure(f"the gate failed ({type(error).__name__})") from error
        if len(detections) != len(texts):
            raise SafetyFailure(f"the gate judged {len(detections)} of {len(texts)} texts")
        if not all(detection.is_finite for detection in detections):
            raise SafetyFailure("the gate gave a score that is not finite")
        return detections


def _worst(verdicts: Sequence[Detection]) -> Detection:
    return max(verdicts, key=lambda verdict: (verdict.is_unsafe, verdict.score))
