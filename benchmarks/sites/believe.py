"""A middleware for benchmarks alone: a socket opened with `?user=<pk>` is that user's.

The user is made up from the key, without a query: how a project authenticates is not what is
measured, and the floor does not authenticate at all.
"""

from typing import Any
from urllib.parse import parse_qs

from django.contrib.auth import get_user_model

from benchmarks.sites.frames import person


class BelieveQuery:
    """Takes the user from the query string."""

    def __init__(self, application: Any) -> None:
        self.application = application
        self.model = get_user_model()
        # What `from_db` is not given would be read from the database when asked for.
        self.defaults = {
            field.attname: field.get_default() for field in self.model._meta.concrete_fields
        }

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Hand the connection on, as the user it says it is."""
        key = int(parse_qs(scope["query_string"].decode())["user"][0])
        columns = {**self.defaults, **person(key)}
        user = self.model.from_db("default", columns, columns.values())
        await self.application({**scope, "user": user}, receive, send)
