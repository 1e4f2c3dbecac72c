"""Counterpoint's nodes for ComfyUI: in the newer schema where it is there, else in the older one, never in both."""

from importlib.util import find_spec

if find_spec("comfy_api") is not None and find_spec("comfy_api.v0_0_2") is not None:
    from .nodes_v3 import entry as comfy_entrypoint  # noqa: TID252

    __all__ = ["comfy_entrypoint"]
else:
    from .nodes_v1 import NAMES as NODE_DISPLAY_NAME_MAPPINGS  # noqa: TID252
    from .nodes_v1 import NODES as NODE_CLASS_MAPPINGS  # noqa: TID252

    __all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
