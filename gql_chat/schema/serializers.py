"""The Strawberry types in use: `SERIALIZERS` of the settings, under fixed names.

Types refer to each other through this module (`strawberry.lazy`), never directly, so a
project's own type shows up wherever the object is nested.
"""

from __future__ import annotations

from ..conf import SERIALIZERS, chat_settings


def install() -> None:
    """Put every type of the settings into this module, under its name."""
    for name in SERIALIZERS:
        globals()[name] = chat_settings.load_serializer(name)
