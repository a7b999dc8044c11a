"""The Strawberry types in use, under fixed names: `SERIALIZERS` of the settings and what follows.

Types refer to each other through this module (`strawberry.lazy`), never directly, so a
project's own type shows up wherever the object is nested, its writable fields are in the
inputs, and its events are among those of a subscription.
"""

from __future__ import annotations

from ..conf import SERIALIZERS, chat_settings
from . import events, writable


def install() -> None:
    """Put every type of the settings into this module, under its name.

    Raises:
        ImproperlyConfigured: a type or an event of the project's cannot be used as declared.
    """
    for name in SERIALIZERS:
        globals()[name] = chat_settings.load_serializer(name)
    globals().update(writable.build_inputs())
    globals()["ChatEvent"] = events.build_union()
