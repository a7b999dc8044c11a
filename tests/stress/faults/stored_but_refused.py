"""Something raises after the commit, and the client is told that nothing was stored."""

import itertools
from typing import Any
from unittest.mock import patch

from gql_chat.schema.documents import Document

#: One of so many writing events fails.
EVERY = 40


def bring_back() -> None:
    """Raise when some events are committed."""
    perform, numbers = Document.perform, itertools.count(1)

    def perform_and_fail(self: Any, *args: Any, **kwargs: Any) -> Any:
        done = perform(self, *args, **kwargs)
        if self.writes and "send_message" in done[0] and next(numbers) % EVERY == 0:
            raise RuntimeError("A hook of the project's failed.")
        return done

    patch.object(Document, "perform", perform_and_fail).start()
