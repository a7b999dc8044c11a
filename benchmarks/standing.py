"""What costs though nobody says anything: the hub's looks, and the space of what was said."""

from __future__ import annotations

import sys
import time
from datetime import timedelta

import django
import orjson

if __name__ == "__main__":
    # What follows imports models.
    django.setup()

from django.contrib.auth import get_user_model
from django.db import connection
from django.utils import timezone

from gql_chat import sessions, streams
from gql_chat.models import get_model

#: How many users, with a socket each, and how many rooms a process looks after.
SOCKETS = 5000

#: Seconds between two rounds, as `event_bridge.hub.upkeep.UPKEEP_SECONDS`.
LOOK = 2.0


def look_us() -> float:
    """Return what looking costs a process each second for each socket, in microseconds."""
    users = get_user_model()._default_manager.values_list("pk", flat=True)[:SOCKETS]
    keys = [str(user) for user in users]
    rooms = get_model("Room").objects.values_list("pk", "seq")[: len(keys)]
    places = {streams.room_stream(room): seq for room, seq in rooms}
    places |= {streams.user_stream(user): 0 for user in keys}
    times = []
    for _ in range(3):
        start = time.thread_time()
        streams.heads(places)
        streams.find_joined(keys, timezone.now() - timedelta(seconds=12))
        sessions.find_inactive(keys)
        times.append(time.thread_time() - start)
    return min(times) * 1e6 / len(keys) / LOOK


def bytes_per_message() -> float:
    """Return what the database takes for each message, with all that hangs on it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        size: int = cursor.fetchone()[0]
    messages: int = get_model("Message").objects.count()
    return size / messages


if __name__ == "__main__":
    found = {"look_us": look_us(), "bytes_per_message": bytes_per_message()}
    sys.stdout.write(orjson.dumps(found).decode())
