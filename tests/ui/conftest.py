"""A really running page around the tiny pipeline, on a free port, and Debian's Chromium to visit it."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from counterpoint.interfaces import Cost, Detection, SafetyReport
from counterpoint.pipeline import SafePipeline
from counterpoint.server.config import Settings

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
RISKY = "a chef with a knife in a room"
MILD = "a dog in a forest"


class WordGate:
    """A gate that knows one word, so that these tests rest on no threshold."""

    def __call__(self, prompts: Sequence[str]) -> list[Detection]:
        return [self._judge("knife" in prompt) for prompt in prompts]

    def _judge(self, is_unsafe: bool) -> Detection:
        score = 0.9 if is_unsafe else 0.1
        return Detection(
            is_unsafe=is_unsafe,
            score=score,
            categories={"violence": score, "shocking": -0.1},
            evidence=("knife",) if is_unsafe else (),
        )


def settings_of(**fields: Any) -> Settings:
    """The operator's settings for the tiny model, whose pictures are too small for the watermark."""
    given = {"models": {"tiny": "tiny"}, "watermark": False, "min_safety": 0.25, "safety": 0.5, "steps": 4}
    return Settings(**{**given, **fields})


def report_of(**fields: Any) -> SafetyReport:
    """A report of a steered picture, but for what is given."""
    given: dict[str, Any] = {
        "action": "steered", "safety": 0.5, "weight": 0.75, "tau": 0.2, "steps_mixed": 3, "score": 0.9,
        "categories": {"violence": 0.9, "shocking": 0.2}, "embedding": "WordRemoval", "coupling": "joined",
        "cost": Cost(denoiser_rows=10, plain_rows=8, seconds=0.1),
    }  # fmt: skip
    return SafetyReport(**{**given, **fields})


@contextlib.contextmanager
def running(pipe: Any, *, is_research: bool = False, **fields: Any) -> Iterator[str]:
    """Serve the page until the block ends; yields its address."""
    from counterpoint.ui.app import make_server
    from counterpoint.ui.studio import Studio

    settings = settings_of(**fields)
    safe = SafePipeline(pipe, detector=WordGate(), safety=settings.safety, on_unsafe=settings.on_unsafe)
    server = make_server(Studio(settings, {"tiny": safe}, is_research=is_research))
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture(scope="session")
def tiny(tiny_model_path: str) -> Callable[[], Any]:
    """Load a fresh tiny pipeline."""
    from counterpoint.loading import load_pipe

    return lambda: load_pipe(tiny_model_path)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A browser, shared by all tests; with REQUIRE_CHROMIUM=1 its absence fails, lest a run leave it out unseen."""
    if CHROMIUM is None and os.environ.get("REQUIRE_CHROMIUM") == "1":
        pytest.fail("no chromium executable on this machine, and REQUIRE_CHROMIUM=1")
    if CHROMIUM is None:
        pytest.skip("no chromium executable on this machine")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()
