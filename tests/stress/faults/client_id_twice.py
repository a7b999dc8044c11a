"""A `client_id` is looked up before anybody else can have noted it."""

from typing import Any

from gql_chat import streams
from gql_chat.models import ClientMessage
from gql_chat.operations import EventHandler


def bring_back() -> None:
    """Find no repeat, and note the latest message as the one of the `client_id`."""

    def remember(self: Any, client_id: str, message: Any) -> None:
        place = {"stream": streams.room_stream(message.room_id), "seq": message.room.seq + 1}
        ClientMessage.objects.update_or_create(
            sender_id=self.user_id,
            client_id=client_id,
            defaults={"message": message.pk, **place},
        )

    EventHandler._find_repeat = lambda *_: None  # type: ignore[method-assign,assignment]
    EventHandler._remember = remember  # type: ignore[method-assign]
