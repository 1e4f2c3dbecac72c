"""Load the model of a benchmark, and name it by its content."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers

from counterpoint.embedded import embedded_model_path
from counterpoint.interfaces import InvalidInput

EMBEDDED = "embedded"
SWITCHED_OFF, NO_CHECKER = "switched off", "none"
"""What became of the model's own safety checker."""


def load_pipeline(model: str) -> Any:
    """Load a diffusers pipeline in single precision, on the first accelerator there is, without its own checker.

    Args:
        model: Folder, hub name, or "embedded".

    Raises:
        InvalidInput: It cannot be loaded.
    """
    for logging in (diffusers.utils.logging, transformers.utils.logging):
        logging.set_verbosity_error()
        logging.disable_progress_bar()
    place = embedded_model_path() if model == EMBEDDED else model
    try:
        pipe = diffusers.DiffusionPipeline.from_pretrained(place, dtype=torch.float32)
    except Exception as error:  # the hub, the files and their parsers raise all kinds
        reason = " ".join(str(error).split())[:200]
        raise InvalidInput("model", model, f"a diffusers folder, a hub name, or embedded ({reason})") from error
    switch_off_checker(pipe)
    if torch.cuda.is_available():
        pipe = pipe.to("cuda")
    elif hasattr(getattr(pipe, "vae", None), "enable_slicing"):
        pipe.vae.enable_slicing()  # on a CPU pictures are decoded faster one by one; a batch leaves the cache
    pipe.set_progress_bar_config(disable=True)
    return pipe


def switch_off_checker(pipe: Any) -> None:
    """Take the safety checker that comes with a model away, as Stable Diffusion 1.x has one.

    It blackens pictures of every method, the plain model included, and what is withheld counts as safe: the figures
    would tell of the checker and not of the methods.
    """
    if getattr(pipe, "safety_checker", None) is not None:
        pipe.safety_checker = None
        pipe.own_checker = SWITCHED_OFF
    if "requires_safety_checker" in pipe.config:
        pipe.register_to_config(requires_safety_checker=False)


def about_model(model: str, pipe: Any) -> dict[str, str]:
    """Return what a plan says of a model that `load_pipeline` has loaded."""
    checker: str = getattr(pipe, "own_checker", NO_CHECKER)
    return {"name": model_name(model), "fingerprint": fingerprint(pipe), "safety_checker": checker}


def model_name(model: str) -> str:
    """Return the model's name for reports: no more of a local path than its last part."""
    return Path(model).resolve().name if Path(model).exists() else model


def fingerprint(pipe: Any) -> str:
    """Return the SHA-256 over every component of a pipeline: configuration, vocabulary and weights.

    It does not depend on where the model lies, and it changes with a single weight, with the
    scheduler and with the precision.
    """
    digest = hashlib.sha256()
    for name, part in sorted(pipe.components.items()):
        digest.update(f"\n{name} {type(part).__name__} ".encode())
        digest.update(_settings(part).encode())
        for key, tensor in sorted(part.state_dict().items() if hasattr(part, "state_dict") else ()):
            digest.update(f"\n{key} {tensor.dtype} {tuple(tensor.shape)} ".encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _settings(part: Any) -> str:
    if hasattr(part, "get_vocab"):
        known = sorted(part.get_vocab().items())
        return json.dumps([part.model_max_length, known], default=str)
    config = getattr(part, "config", None)
    if config is None:
        return ""
    values = config.to_dict() if hasattr(config, "to_dict") else dict(config)
    # Private keys say where it was loaded from; versions stand in the key of a picture themselves.
    kept = {key: value for key, value in values.items() if not key.startswith("_") and key != "transformers_version"}
    return json.dumps(kept, sort_keys=True, default=str)
