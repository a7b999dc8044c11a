"""On whose behalf an operation of the schema runs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import strawberry

from ..conf import chat_settings
from ..contents import Contents
from ..operations.base import check_active
from ..sizes import EACH, Budget

if TYPE_CHECKING:
    from ..events import Event
    from ..operations import EventHandler
    from ..streams import Envelope

Look = Callable[[dict[str, Any]], "AsyncGenerator[Event, None]"]
Follow = Callable[[str, int | None], "AsyncGenerator[Envelope, None]"]


@dataclass
class Context:
    """What resolvers find in `info.context`.

    Attributes:
        user_id: the primary key of the user who acts.
        source: where a subscription's events come from.
        follow: gives the logged events of a stream, by its name, after a sequence number or from
            now on; None where streams cannot be followed.
        look: gives the presence of users or rooms, and then what changes; None where that cannot be
            followed.
        actor_id: the primary key of the user who has signed in, where that is another one.
        contents: what was cleaned before the operation; it outlives a handler.
        budget: says how many bytes a page may have.
    """

    user_id: Any
    source: AsyncIterator[Event] | None = field(default=None)
    follow: Follow | None = None
    look: Look | None = None
    actor_id: Any = None
    contents: Contents = field(default_factory=Contents)
    budget: Budget = EACH

    def begin(self) -> None:
        """Forget what an earlier try of the operation has read."""
        vars(self).pop("handler", None)

    def check_account(self) -> None:
        """Refuse an account that is not active, once an operation has refused something else.

        Not every operation reads the account before it finds that a room or a user does not exist.
        Inputs that reached no operation are left alone: nothing was read for them.

        Raises:
            NotAuthenticated: the account is gone or was deactivated.
        """
        handler = vars(self).get("handler")
        if handler is not None:
            check_active(handler.user)

    @cached_property
    def handler(self) -> EventHandler:
        """The operations, as the acting user."""
        return self._make_handler()

    def clean(self, content: str) -> None:
        """Clean a content before the operation that stores it: off its thread and transaction."""
        # By a handler of its own: what it reads of the user is not what the operation goes by.
        self._make_handler().prepare_content(content)

    def _make_handler(self) -> EventHandler:
        handler: EventHandler = chat_settings.load("EVENT_HANDLER_CLASS")(self.user_id)
        handler.contents = self.contents
        handler.budget = self.budget
        return handler


Info = strawberry.Info[Context, Any]
"""What a resolver is given as `info`."""
