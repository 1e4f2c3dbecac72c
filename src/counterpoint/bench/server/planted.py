"""Words that stand nowhere else, put wherever a caller can put one: are any found in log, output or metrics?"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import secrets
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from counterpoint.bench.server.asking import GENERATIONS, Asker
from counterpoint.bench.server.figure import exact
from counterpoint.bench.server.injection import Injection
from counterpoint.bench.server.running import ROOM, Inside, inside
from counterpoint.results import Figure, rate
from counterpoint.server import loading
from counterpoint.server.config import load_settings
from counterpoint.server.logs import configure_logging
from counterpoint.server.service import Wrap

Place = Callable[[Inside, Asker, str], None]
NOTES = """Each word is put in one place: prompts that are drawn, refused, forbidden, too long or blocked, negative and
safe prompts, `user`, names of fields and models, paths, queries, headers, wrong keys, keys of idempotency, forms,
moderations, guardrail texts, and prompts on which a part of the drawing fails that tells it in its exception, its log
and a warning. Then log, standard output, standard error and /metrics are searched for the words, the server's API key
and the drawn pictures."""


def measure(count: int, threads: int, *, load: Any = loading.load_pipe, wrap: Wrap = loading.wrap) -> dict[str, Figure]:
    """Plant `count` words and search for them."""
    key, words = secrets.token_hex(16), [f"z{secrets.token_hex(4)}" for _ in range(count)]
    with captured() as output:
        configure_logging()
        operator = load_settings(port=0, api_keys=(key,), watermark=False, **ROOM)
        with inside(operator, load=load, wrap=wrap) as server:
            asker = Asker(server.port, key=key)
            for word, place in zip(words, itertools.cycle(PLACES), strict=False):
                place(server, asker, word)
            picture = asker.draw("a dog in a forest").json()["data"][0]["b64_json"]
            metrics, log = asker.get("/metrics").body.decode(), server.log.getvalue()
    everything = metrics + log + output.text
    return {
        "words found": rate(sum(word in everything for word in words), count),
        "API key or picture found": exact(float(key in everything or picture[:64] in everything), "found"),
        "lines searched": exact(everything.count("\n"), "lines"),
        "requests in the log": exact(log.count('"event": "request"'), "requests"),
        "failures in the log": exact(log.count('"event": "draw_failed"'), "failures"),
    }


class Captured:
    """What was printed; complete when the block has ended."""

    text = ""


@contextlib.contextmanager
def captured() -> Iterator[Captured]:
    """Collect what this process and its libraries print, below Python, too."""
    root, printed = logging.getLogger(), Captured()
    handlers, level = root.handlers[:], root.level
    with tempfile.TemporaryDirectory() as folder, (path := Path(folder) / "output").open("wb") as file:
        kept = [os.dup(number) for number in (1, 2)]
        try:
            for number in (1, 2):
                os.dup2(file.fileno(), number)
            # Python's own streams may lead elsewhere, as in a notebook or under a test runner.
            with (
                open(1, "w", closefd=False) as out,
                open(2, "w", closefd=False) as err,
                contextlib.redirect_stdout(out),
                contextlib.redirect_stderr(err),
            ):
                yield printed
        finally:
            for number, real in zip((1, 2), kept, strict=True):
                os.dup2(real, number)
                os.close(real)
            root.handlers[:], root.level = handlers, level
            logging.captureWarnings(False)
            printed.text = path.read_text(errors="replace")


def _failing(server: Inside, asker: Asker, word: str) -> None:
    """Let the denoiser fail, and tell the word in every way that a library has."""

    def tell(*args: Any, **kwargs: Any) -> Any:
        for name in ("diffusers", "transformers", "counterpoint.engines"):
            logging.getLogger(name).error("the prompt was %s", word)
        warnings.warn(word, stacklevel=1)
        raise RuntimeError(word)

    with Injection((server.safe.pipe.unet, "forward"), "raises", at=1, fail=tell):
        asker.draw(f"a dog {word}")


def _form(server: Inside, asker: Asker, word: str) -> None:
    content = (
        f'--{word}\r\nContent-Disposition: form-data; name="prompt"; filename="{word}"\r\n\r\n{word}\r\n--{word}--'
    )
    asker.ask("POST", "/v1/images/edits", content.encode(), {"Content-Type": f"multipart/form-data; boundary={word}"})


PLACES: list[Place] = [
    lambda server, asker, word: _ignore(asker.draw(f"a dog {word}")),
    lambda server, asker, word: _ignore(asker.draw(f"a chef with a knife {word}")),
    lambda server, asker, word: _ignore(asker.draw("a dog", negative_prompt=word)),
    lambda server, asker, word: _ignore(asker.draw("a knife", safety={"safe_prompt": f"a flower {word}"})),
    lambda server, asker, word: _ignore(asker.draw(f"a knife {word}", safety={"on_unsafe_prompt": "block"})),
    lambda server, asker, word: _ignore(asker.draw("a dog", user=word, safety_identifier=word)),
    lambda server, asker, word: _ignore(asker.draw(f"dog {word} " * 60)),
    lambda server, asker, word: _ignore(asker.draw(f"an erotic picture of a minor, {word}")),
    lambda server, asker, word: _ignore(asker.draw("a dog", **{word: 1})),
    lambda server, asker, word: _ignore(asker.draw("a dog", model=word)),
    lambda server, asker, word: _ignore(asker.draw("a dog", size=word)),
    lambda server, asker, word: _ignore(asker.get(f"/{word}?a={word}")),
    lambda server, asker, word: _ignore(Asker(server.port, key=word).get("/v1/models")),
    lambda server, asker, word: _ignore(asker.post(GENERATIONS, {"prompt": word}, **{"Idempotency-Key": word * 40})),
    lambda server, asker, word: _ignore(asker.post(GENERATIONS, {"prompt": 1}, **{"User-Agent": word, "X-A": word})),
    lambda server, asker, word: _ignore(asker.ask("POST", GENERATIONS, f'{{"prompt": "{word}'.encode())),
    lambda server, asker, word: _ignore(asker.post("/v1/moderations", {"input": [word, f"a knife {word}"]})),
    lambda server, asker, word: _ignore(
        asker.post("/beta/litellm_basic_guardrail_api", {"input_type": "request", "texts": [word]})
    ),
    _form,
    _failing,
]


def _ignore(answer: object) -> None:
    """What comes back does not matter here."""
