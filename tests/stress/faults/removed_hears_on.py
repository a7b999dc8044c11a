"""The hub does not follow frames by which a member goes."""

from collections.abc import Mapping
from typing import Any

from event_bridge.hub import Hub


def bring_back() -> None:
    """Let the hub overlook who left."""
    change_members = Hub._change_members

    def overlook(self: Hub, name: str, stream: Any, seq: int, change: Mapping[str, Any]) -> None:
        change_members(self, name, stream, seq, {**change, "left": ()})

    Hub._change_members = overlook  # type: ignore[method-assign]
