"""Reading takes the locks of rooms in the order in which a client names its messages."""

import time
from typing import Any
from unittest.mock import patch

from gql_chat import streams
from gql_chat.models import get_model
from gql_chat.operations import EventHandler

#: Between two locks; a busy server takes as long.
PAUSE = 0.05


def bring_back() -> None:
    """Lock one room after the other, before all of them are locked at once."""
    read = EventHandler.read_messages

    def lock_and_read(self: Any, message_ids: Any, **given: Any) -> None:
        ids = list(message_ids)
        with streams.transaction():
            for message_id in ids:
                rooms = get_model("Room").objects.filter(messages=message_id)
                list(rooms.select_for_update(no_key=True).values_list("pk"))
                time.sleep(PAUSE / len(ids))
            read(self, ids, **given)

    patch.object(EventHandler, "read_messages", lock_and_read).start()
