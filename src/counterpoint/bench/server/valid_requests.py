"""Valid requests at the edge of what is allowed: none may be refused as wrong."""

from __future__ import annotations

import random
from typing import Any

from counterpoint.bench.server.asking import GENERATIONS
from counterpoint.bench.server.bad_requests import CHEAP, send
from counterpoint.bench.server.sending import EDITS, GUARDRAIL, MODERATIONS, Sent

TEXTS = (
    "a", "a dog", " a dog ", "a\ndog", "\u72d7\u5728\u68ee\u6797\u91cc", "\u05db\u05dc\u05d1", "\U0001f415 in a forest",
    "caf\u00e9", "cafe\u0301", "/etc/passwd", "../../a", "${jndi:a}", "'; DROP TABLE a; --", "<b>a dog</b>", "a" * 24,
    "%s%n", "a%00b", "\x01", "\x7f", "{}", "null", "true", "-1", "NaN", "\\", '"', "\ufeffa dog", "a\u200bdog",
)  # fmt: skip
EDGES: dict[str, tuple[Any, ...]] = {
    "negative_prompt": (None, "", " ", *TEXTS),
    "model": (None, "embedded"),
    "n": (None, 1, 2),
    "seed": (None, 0, 1, 2**32 - 2),
    "guidance_scale": (None, 0, 0.0, 1, 1e-300, 7.5, 30),
    "response_format": (None, "b64_json"),
    "quality": (None, "auto"),
    "background": (None, "auto", "opaque"),
    "moderation": (None, "auto"),
    "user": (None, "", "a" * 512),
    "safety_identifier": (None, "", "\U0001f415" * 512),
}
GUARDED: dict[str, tuple[Any, ...]] = {
    "texts": (None, [], [""], list(TEXTS)),
    "images": (None, []),
    "tool_calls": (None, []),
    "additional_provider_specific_params": (None, {}, {"a": [1]}),
    "later": (1, {"a": 1}),
}
SAFETY: dict[str, tuple[Any, ...]] = {
    "safety": (None, "medium", "high", "max", 0.5, 1, "1.0"),
    "safe_prompt": (None, "a dog in a forest", " a flower on a meadow ", "a house on a hill"),
    "on_unsafe": (None, "steer", "block"),
    "on_unsafe_prompt": (None, "steer", "block"),
}


def valid_requests(rng: random.Random, count: int) -> list[Sent]:
    """Return valid requests, two in five of which are drawn."""
    return [_valid(rng, number) for number in range(count)]


def _valid(rng: random.Random, number: int) -> Sent:
    match number % 10:
        case 0 | 1 | 2:
            body = _drawn(rng)
            files = [("png", None), ("jpeg", 0), ("jpeg", 100), ("webp", 50), ("webp", None)]
            body["output_format"], body["output_compression"] = rng.choice(files)
            if rng.random() < 0.2:
                body |= {"stream": True, "n": 1, "partial_images": rng.choice((None, 0, 3))}
            return send("valid", GENERATIONS, body)
        case 3:
            body = {name: value for name, value in _drawn(rng).items() if value is not None}
            body["safety"] = {name: value for name, value in (body.get("safety") or {}).items() if value is not None}
            return send("valid", EDITS, {**body, "strength": 1, "size": rng.choice(("auto", "64x64"))}, side=80)
        case 4 | 5 | 6:
            return send("valid", MODERATIONS, {"input": _inputs(rng), "model": rng.choice((None, "embedded"))})
        case _:
            body = {name: rng.choice(values) for name, values in GUARDED.items() if rng.random() < 0.7}
            return send("valid", GUARDRAIL, {"input_type": rng.choice(("request", "response")), **body})


def _drawn(rng: random.Random) -> dict[str, Any]:
    body = {**CHEAP, "prompt": rng.choice(TEXTS), "size": rng.choice(("64x64", "80x64"))}
    body |= {name: rng.choice(values) for name, values in EDGES.items() if rng.random() < 0.4}
    safety = {name: rng.choice(values) for name, values in SAFETY.items() if rng.random() < 0.4}
    return body | ({} if rng.random() < 0.3 else {"safety": rng.choice((safety, safety, {}, None))})


def _inputs(rng: random.Random) -> Any:
    texts = [rng.choice(TEXTS) for _ in range(rng.choice((1, 1, 2, 32)))]
    parts = [{"type": "text", "text": text} for text in texts]
    return rng.choice([texts[0], texts, parts])
