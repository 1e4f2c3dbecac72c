"""counterpoint: editing-free safe image generation with two latent streams.

    from counterpoint import SafePipeline, embedded_model_path

Names are resolved when first used, so that `import counterpoint` does not load torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from counterpoint.embedded import embedded_model_path as embedded_model_path
    from counterpoint.interfaces import (
        CounterpointError as CounterpointError,
    )
    from counterpoint.interfaces import (
        DegeneratePicture as DegeneratePicture,
    )
    from counterpoint.interfaces import (
        InvalidInput as InvalidInput,
    )
    from counterpoint.interfaces import (
        SafetyFailure as SafetyFailure,
    )
    from counterpoint.interfaces import (
        SafetyReport as SafetyReport,
    )
    from counterpoint.mixing import MixingSchedule as MixingSchedule
    from counterpoint.mixing import mix as mix
    from counterpoint.pipeline import SafePipeline as SafePipeline

__version__ = "0.1.0"

_HOMES = {
    "CounterpointError": "interfaces",
    "DegeneratePicture": "interfaces",
    "InvalidInput": "interfaces",
    "MixingSchedule": "mixing",
    "SafePipeline": "pipeline",
    "SafetyFailure": "interfaces",
    "SafetyReport": "interfaces",
    "embedded_model_path": "embedded",
    "mix": "mixing",
}
__all__ = sorted([*_HOMES, "__version__"])


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'counterpoint' has no attribute {name!r}")
    return getattr(import_module(f"counterpoint.{_HOMES[name]}"), name)
