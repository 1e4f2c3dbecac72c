"""Gradio prints whole tracebacks, and their messages repeat what visitors send; here they go to the log without."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

from gradio import queueing, route_utils, routes

from counterpoint.server.logs import log_failure


def quiet_gradio() -> None:
    """Have Gradio's modules write an error as its class and the places it came through.

    Raises:
        RuntimeError: Gradio is built otherwise than this knows; nothing must be printed unseen.
    """
    for module in (queueing, route_utils, routes):
        if not hasattr(module, "traceback"):
            raise RuntimeError(f"{module.__name__} prints its errors in a way that is not known here")
        module.traceback = SimpleNamespace(print_exc=_log)


def _log(*_given: Any, **_named: Any) -> None:
    error = sys.exc_info()[1]
    if error is not None:
        log_failure("page_failed", error)
