"""A socket stays open, and is sent nothing any more that happens."""

from typing import Any
from unittest.mock import patch

from event_bridge.consumers import ChatConsumer

#: After so many dispatches, some sockets go deaf.
AFTER = 60
#: One of so many.
SOME = 5


def bring_back() -> None:
    """Let some sockets go deaf."""
    deliver = ChatConsumer.deliver

    def deliver_for_a_while(self: Any, frame: Any) -> None:
        count = self.scope["heard"] = self.scope.get("heard", 0) + 1
        if count < AFTER or id(self) // 64 % SOME:
            deliver(self, frame)

    patch.object(ChatConsumer, "deliver", deliver_for_a_while).start()
