"""What a process does about the sockets it holds."""

from datetime import timedelta
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from gql_chat import sessions
from gql_chat.models import get_model


def test_a_process_vouches_for_any_number_of_sockets_at_once(alice: Any) -> None:
    """40,000 names as so many parameters are more than SQLite takes as it comes."""
    long_ago = timezone.now() - timedelta(days=1)
    create = get_model("Session").objects.create
    ours, other = (
        create(user=alice, channel_name=name, alive_at=long_ago) for name in ("ours", "other")
    )

    with CaptureQueriesContext(connection) as captured:
        sessions.keep_alive(["ours", *(f"name-{number}" for number in range(40_000))])

    ours.refresh_from_db()
    other.refresh_from_db()
    assert ours.alive_at > long_ago == other.alive_at
    assert len(captured) == 1
    assert "json_each(" in captured[0]["sql"] or "ANY(" in captured[0]["sql"]
