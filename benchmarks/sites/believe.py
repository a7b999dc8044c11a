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

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Hand the connection on, as the user it says it is."""
        model = get_user_model()
        fields = person(int(parse_qs(scope["query_string"].decode())["user"][0]))
        user = model.from_db("default", list(fields), list(fields.values()))
        # What `from_db` was not given would be read from the database when asked for.
        for field in model._meta.concrete_fields:
            if field.attname not in fields:
                setattr(user, field.attname, field.get_default())
        await self.application({**scope, "user": user}, receive, send)
