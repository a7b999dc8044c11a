"""How PostgreSQL answers the queries of the hot paths, and whether it reads a whole table.

Every path is run as the socket runs it, in a transaction that is rolled back; each statement
of it is explained, with its run times, in the moment in which it is asked.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import django
import orjson
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

if __name__ == "__main__":
    # What follows imports models.
    django.setup()

from event_bridge.operations import events, lifecycle
from event_bridge.resume import Resumption
from gql_chat import streams
from gql_chat.models import Membership, get_model
from gql_chat.schema import Context

#: Tables with fewer rows are read as a whole because that is fastest.
SMALL = 5000

#: Something that the server does for a client.
Path = Callable[[], Any]


@dataclass(frozen=True)
class Plan:
    """The plan of one statement.

    Attributes:
        sql: the statement, without its values.
        nodes: how each table is read: the kind of node, and its index or table.
        read_whole: the tables that are read as a whole and are not small.
        milliseconds: what planning and running it took.
    """

    sql: str
    nodes: tuple[str, ...]
    read_whole: tuple[str, ...]
    milliseconds: float

    @property
    def subject(self) -> str:
        """The verb and the table of the statement."""
        verb = self.sql.split(maxsplit=1)[0]
        outer = self.sql
        while (without := re.sub(r"\([^()]*\)", "", outer)) != outer:
            outer = without
        table = re.search(r'(?:FROM|INTO|UPDATE) "?(\w+)"?', outer)
        return f"{verb} {table[1] if table else ''}".strip()


def hot_paths(user_id: Any, room_id: Any) -> dict[str, Path]:
    """Return the hot paths, each as something to call.

    Args:
        user_id: a member of the room.
        room_id: a room with messages of others.
    """
    messages = get_model("Message").objects.filter(room_id=room_id)
    oldest = messages.order_by("created_at", "pk").values_list("pk", flat=True)
    deep = str(oldest[min(50, max(messages.count() - 1, 0))])
    theirs = messages.exclude(sender_id=user_id).exclude(read_receipts__reader_id=user_id)
    fresh = str(theirs.exclude(reactions__user_id=user_id).latest("created_at").pk)
    room = str(room_id)

    def event(event_type: str, data: dict[str, Any]) -> Path:
        return lambda: events().find(event_type, data).run(data, Context(user_id))

    def own(name: str) -> Path:
        data = {"channel_name": "plans"}
        return lambda: lifecycle().find(name, {}).run(data, Context(user_id))[0]

    def resume() -> None:
        positions = streams.positions(user_id)
        wanted = {stream: max(seq - 1, 0) for stream, seq, _ in positions}
        Resumption.parse({"streams": wanted}, {}).read(user_id)

    def look() -> None:
        names = Membership.objects.filter(user_id=user_id).values_list("room_id", flat=True)
        streams.heads({streams.room_stream(name): 0 for name in names})
        streams.find_joined([user_id], timezone.now() - timedelta(seconds=12))

    return {
        "connect": lambda: [streams.positions(user_id), own("open")()],
        "message.send": event("message.send", {"room_id": room, "content": "hello"}),
        "message.send with a client_id": event(
            "message.send", {"room_id": room, "content": "hello", "client_id": "plans"}
        ),
        "message.acknowledged": event("message.acknowledged", {"message_id": fresh}),
        "message.read": event("message.read", {"message_id": fresh}),
        "message.react": event(
            "message.react", {"type": "add", "message_id": fresh, "reaction_content": "+1"}
        ),
        "room.read": event("room.read", {"room_id": room}),
        "room.unread": event("room.unread", {"room_id": room, "from": fresh}),
        "unread.list": event("unread.list", {}),
        "room.list": event("room.list", {}),
        "room.info": event("room.info", {"room_id": room}),
        "room.messages, page 1": event(
            "room.messages", {"room_id": room, "paginate": {"page": 1, "size": 50}}
        ),
        "room.messages, the oldest page by cursor": event(
            "room.messages", {"room_id": room, "paginate": {"before": deep, "size": 50}}
        ),
        "session.heartbeat": own("heartbeat"),
        "session.resume": resume,
        "the hub's look every 2 s": look,
    }


def explain(path: Path) -> list[Plan]:
    """Run a path, roll it back, and return the plans of its statements."""
    plans: list[Plan] = []
    with transaction.atomic():
        # While queries are logged, each is sent by itself.
        with CaptureQueriesContext(connection), _explaining(plans):
            path()
        transaction.set_rollback(True)
    return plans


@contextmanager
def _explaining(plans: list[Plan]) -> Iterator[None]:
    def wrapper(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.split(maxsplit=1)[0] in {"SELECT", "INSERT", "UPDATE", "DELETE", "WITH"}:
            plans.append(_plan(sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(wrapper):
        yield


def _plan(sql: str, params: Any) -> Plan:
    # A cursor that asks past the wrapper; what a write does is undone, the write itself follows.
    with connection.create_cursor() as cursor:
        cursor.execute("SAVEPOINT plans")
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params)
        (explained,) = cursor.fetchone()[0]
        cursor.execute("ROLLBACK TO SAVEPOINT plans")
        cursor.execute("RELEASE SAVEPOINT plans")
        nodes = list(_nodes(explained["Plan"]))
        whole = {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"}
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relname = ANY(%s) AND reltuples >= %s",
            [list(whole), SMALL],
        )
        large = tuple(sorted(name for (name,) in cursor.fetchall()))
    return Plan(
        sql=sql,
        nodes=tuple(dict.fromkeys(filter(None, map(_describe, nodes)))),
        read_whole=large,
        milliseconds=explained["Planning Time"] + explained["Execution Time"],
    )


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


def _describe(node: dict[str, Any]) -> str | None:
    """Return how a node reads, or None where it works on what others read."""
    kind = node["Node Type"]
    if "Index Name" in node:
        return f"{kind} {node['Index Name']}"
    if "Relation Name" in node and kind.endswith("Scan") and kind != "Bitmap Heap Scan":
        return f"{kind} {node['Relation Name']}"
    return None


def explain_all(user_id: Any, room_id: Any) -> dict[str, list[Plan]]:
    """Return the plans of every hot path, each asked a second time on its connection."""
    for path in hot_paths(user_id, room_id).values():
        explain(path)
    return {name: explain(path) for name, path in hot_paths(user_id, room_id).items()}


def main(user_id: str, room_id: str) -> None:
    """Write the plans as JSON."""
    found = {
        path: [{"subject": plan.subject, **asdict(plan)} for plan in plans]
        for path, plans in explain_all(int(user_id), room_id).items()
    }
    for plans in found.values():
        for plan in plans:
            del plan["sql"]
    sys.stdout.write(orjson.dumps(found).decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
