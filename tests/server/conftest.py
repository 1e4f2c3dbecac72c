"""A really running server around the tiny pipeline, on a free port."""

from __future__ import annotations

import base64
import contextlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx
import pytest
from openai import OpenAI
from PIL import Image

from counterpoint.bench.server.running import Inside, inside
from counterpoint.bench.server.running import until as until
from counterpoint.interfaces import Detection
from counterpoint.pipeline import SafePipeline
from counterpoint.server.config import Settings

RISKY = "a chef with a knife in a room"
MILD = "a dog in a forest"
KEY = "a key of some length"


class WordGate:
    """A gate that knows one word, so that these tests rest on no threshold."""

    def __call__(self, prompts: Sequence[str]) -> list[Detection]:
        return [
            Detection(
                is_unsafe="knife" in prompt,
                score=0.9 if "knife" in prompt else 0.1,
                categories={"violence": 0.9 if "knife" in prompt else 0.1},
                evidence=("knife",) if "knife" in prompt else (),
            )
            for prompt in prompts
        ]


def wrap(pipe: Any, settings: Settings) -> SafePipeline:
    return SafePipeline(pipe, detector=WordGate(), safety=settings.safety, on_unsafe=settings.on_unsafe)


@dataclass(frozen=True)
class Running(Inside):
    """A running server, and how it is asked here."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, **options: Any) -> OpenAI:
        return OpenAI(base_url=f"{self.url}/v1", api_key=KEY, max_retries=0, timeout=60, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        options.setdefault("headers", {"Authorization": f"Bearer {KEY}"})
        return httpx.post(f"{self.url}{path}", timeout=60, trust_env=False, **options)

    def get(self, path: str, **options: Any) -> httpx.Response:
        options.setdefault("headers", {"Authorization": f"Bearer {KEY}"})
        return httpx.get(f"{self.url}{path}", timeout=60, trust_env=False, **options)

    def draw(self, prompt: str = MILD, **fields: Any) -> httpx.Response:
        body = {"prompt": prompt, "num_inference_steps": 2, "seed": 1, **fields}
        return self.post("/v1/images/generations", json=body)


def pictures_of(response: httpx.Response) -> list[Image.Image]:
    return [
        Image.open(io.BytesIO(base64.b64decode(entry["b64_json"])))
        for entry in response.json()["data"]
        if entry["b64_json"] is not None
    ]


@contextlib.contextmanager
def running(
    load: Callable[[str], Any], *, wrap: Callable[[Any, Settings], SafePipeline] = wrap, **settings: Any
) -> Iterator[Running]:
    """Run a server until the block ends."""
    operator = Settings(**{"port": 0, "watermark": False, "min_safety": 0.0, "models": {"tiny": "tiny"}, **settings})
    with inside(operator, load=load, wrap=wrap) as server:
        yield Running(**vars(server))


@pytest.fixture(scope="session")
def tiny(tiny_model_path: str) -> Callable[[str], Any]:
    """Load a fresh tiny pipeline, as the server loads its models."""
    from counterpoint.server.loading import load_pipe

    return lambda place: load_pipe(tiny_model_path)


@pytest.fixture(scope="module")
def server(tiny: Callable[[str], Any]) -> Iterator[Running]:
    """A server that the tests of a module share."""
    with running(tiny, api_keys=(KEY,), max_per_key=1000) as one:
        yield one
