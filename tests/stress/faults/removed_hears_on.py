"""The hub does not follow frames by which a member goes."""

from collections.abc import Mapping
from typing import Any
from unittest.mock import patch

from event_bridge.hub.sequencer import Sequencer


def bring_back() -> None:
    """Let the hub overlook who left."""
    change_users = Sequencer._change_users

    def overlook(self: Sequencer, stream: Any, seq: int, change: Mapping[str, Any]) -> None:
        change_users(self, stream, seq, {**change, "left": ()})

    patch.object(Sequencer, "_change_users", overlook).start()
