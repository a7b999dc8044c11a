"""The loader: fills a migrated PostgreSQL with a history, by COPY, with a progress bar.

What it writes is what the package would have written had it all been said over sockets:
places, members, receipts, notifications and the event log belong together. The story:

- Every user is in `rooms_each` groups of `members` people. Those of today joined a week ago;
  whoever wrote before has left.
- A group has `talk` messages from before, each acknowledged and read by one who has left;
  every tenth has a reaction and an image. The first group has `long_talk` more.
- In the last week one message was written in each group. It waits for all members but its
  sender and is unread by them. The event log reaches back as far as that.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection, models
from django.utils import timezone
from guardian.models import UserObjectPermission
from tqdm import tqdm

from benchmarks.population import Population
from benchmarks.sites.frames import FIRST_USER, person
from gql_chat import streams
from gql_chat.events import MessageSent
from gql_chat.models import (
    ClientMessage,
    Delivery,
    GroupChat,
    Membership,
    StreamEvent,
    UserStream,
    get_model,
)
from gql_chat.models.relations import MessageRelations
from gql_chat.models.rules import Role

Row = dict[str, Any]


def load(population: Population) -> None:
    """Fill the database, which is migrated and empty of users and rooms, with a progress bar.

    Args:
        population: how much of everything.

    Raises:
        ProgrammingError: on PostgreSQL, where the role is no superuser.
    """
    write(population)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # What the autovacuum daemon would do within minutes.
            cursor.execute("VACUUM ANALYZE")


def write(population: Population, *, quiet: bool = False) -> None:
    """Fill the database, which may be in a transaction; see `load`."""
    history = _History(population, quiet)
    if connection.vendor != "postgresql":
        history.write()
        return
    with connection.cursor() as cursor:
        # Foreign keys are not checked row by row: half of the time would go there.
        cursor.execute("SET session_replication_role = replica")
        history.write()
        cursor.execute("SET session_replication_role = DEFAULT")


class _History:
    """One load.

    Args:
        population: how much of everything.
        quiet: whether to show no progress bar.
    """

    def __init__(self, population: Population, quiet: bool) -> None:
        self._of = population
        self._quiet = quiet
        self._now = timezone.now()
        self._week = self._now - timedelta(days=7)
        self._members = list(population.member_ids())
        # How far each group's stream has come; its creation took the first place.
        self._seq = [1] * population.rooms
        self._told: dict[int, int] = {}

    def write(self) -> None:
        """Write everything."""
        users = range(FIRST_USER, FIRST_USER + self._of.users)
        self._copy(get_user_model(), (person(user) for user in users), self._of.users, "users")
        said = list(self._talk())
        self._write_rooms()
        self._write_memberships()
        self._write_talk(said)
        if self._of.waiting:
            self._write_last_week()

    def _copy(
        self, model: type[models.Model], rows: Iterable[Row], count: int, name: str = ""
    ) -> None:
        # Without a terminal tqdm shows nothing by itself where it is left the choice (None).
        copy(model, tqdm(rows, name, count, unit=" rows", disable=self._quiet or None))

    # From before the last week

    def _talk(self) -> Iterator[_Said]:
        """Give every message from before, in the order of time, and count the places."""
        groups = [0] * self._of.long_talk
        for place in range(self._of.rooms):
            groups += [place] * self._of.talk
        random.Random(2).shuffle(groups)
        chance = random.Random(3)
        step = timedelta(days=358) / max(len(groups), 1)
        for number, place in enumerate(groups):
            sender, reader = chance.sample(self._members[place], 2)
            at = self._week - timedelta(days=1) - step * (len(groups) - number)
            self._seq[place] += 1
            yield _Said(_key(chance), place, sender, reader, at, self._seq[place])
            self._seq[place] += 1  # its receipt
            if number % 10 == 0:
                self._seq[place] += 1  # its reaction
            self._told[sender] = self._told.get(sender, 0) + 1

    def _write_talk(self, said: list[_Said]) -> None:
        count = len(said)
        self._copy(get_model("Message"), map(self._message, said), count, "messages")
        self._copy(
            Delivery,
            ({"message_id": m.key, "user_id": m.reader, "created_at": m.at} for m in said),
            count,
            "deliveries",
        )
        self._copy(
            get_model("ReadReceipt"),
            ({"message_id": m.key, "reader_id": m.reader, "read_at": m.at} for m in said),
            count,
            "receipts",
        )
        self._copy(
            get_model("Reaction"),
            (
                {
                    "message_id": m.key,
                    "user_id": m.reader,
                    "reaction_content": "👍",
                    "created_at": m.at,
                }
                for m in said[::10]
            ),
            len(said[::10]),
            "reactions",
        )
        self._copy(
            get_model("MessageMediaAsset"), map(self._asset, said[::10]), len(said[::10]), "media"
        )
        self._copy(ClientMessage, map(self._client_message, said), count, "client ids")
        self._copy(
            UserStream,
            ({"user_id": user, "seq": seq} for user, seq in self._told.items()),
            len(self._told),
            "user streams",
        )

    def _message(self, said: _Said) -> Row:
        return {
            "id": said.key,
            "room_id": self._of.room_id(said.place),
            "sender_id": said.sender,
            "content": f"message {said.seq} " + "lorem ipsum " * 5,
            "created_at": said.at,
            "updated_at": said.at,
        }

    def _asset(self, said: _Said) -> Row:
        return {
            "message_id": said.key,
            "media_url": f"https://example.org/{said.key}",
            "media_type": "image",
            "mime_type": "image/png",
        }

    def _client_message(self, said: _Said) -> Row:
        return {
            "sender_id": said.sender,
            "client_id": str(said.key),
            "message": said.key,
            "stream": streams.room_stream(self._of.room_id(said.place)),
            "seq": said.seq,
        }

    # Rooms and their members

    def _newest(self, place: int) -> datetime:
        """Return when the group's one message of the last week was written."""
        return self._week + timedelta(days=6) * (place + 1) / self._of.rooms

    def _write_rooms(self) -> None:
        count = self._of.rooms
        self._copy(get_model("Room"), map(self._room, range(count)), count, "rooms")
        self._copy(
            get_model("RoomProperty"),
            ({"room_id": self._of.room_id(place)} for place in range(count)),
            count,
        )
        content_type = ContentType.objects.get_for_model(GroupChat)
        held = Permission.objects.filter(
            content_type=content_type, codename__in=GroupChat.rules.permissions
        )
        self._copy(
            UserObjectPermission,
            [
                {
                    "permission_id": permission.pk,
                    "content_type_id": content_type.pk,
                    "object_pk": str(self._of.room_id(place)),
                    "user_id": members[0],
                }
                for place, members in enumerate(self._members)
                for permission in held
            ],
            count * len(held),
            "permissions",
        )

    def _room(self, place: int) -> Row:
        born = self._week - timedelta(days=360)
        return {
            "id": self._of.room_id(place),
            "type": GroupChat.rules.name,
            "name": f"group {place}",
            "creator_id": self._members[place][0],
            **GroupChat.defaults,
            "seq": self._seq[place] + self._of.waiting,
            "last_activity": self._newest(place) if self._of.waiting else self._week,
            "created_at": born,
            "updated_at": born,
        }

    def _write_memberships(self) -> None:
        self._copy(
            Membership,
            (
                {
                    "room_id": self._of.room_id(place),
                    "user_id": user,
                    "role": Role.MEMBER if rank else Role.ADMIN,
                    "joined_at": self._week,
                    "pending_from": self._week,
                    "unread_from": self._week,
                    "joined_seq": self._seq[place] + 1,
                }
                for place, members in enumerate(self._members)
                for rank, user in enumerate(members)
            ),
            self._of.rooms * self._of.members,
            "memberships",
        )

    # The last week

    def _write_last_week(self) -> None:
        chance = random.Random(4)
        said = [
            _Said(
                _key(chance),
                place,
                members[place % len(members)],
                members[0],
                self._newest(place),
                self._seq[place] + 1,
            )
            for place, members in enumerate(self._members)
        ]
        count = len(said)
        self._copy(get_model("Message"), map(self._message, said), count, "last week")
        self._copy(get_model("ChatNotification"), map(self._notification, said), count)
        self._copy(StreamEvent, map(self._log_row, said), count, "event log")

    def _notification(self, said: _Said) -> Row:
        return {
            "notification_type": "NEW_MESSAGE",
            "message_id": said.key,
            "room_id": self._of.room_id(said.place),
            "actor_id": said.sender,
            "created_at": said.at,
        }

    def _log_row(self, said: _Said) -> Row:
        message = get_model("Message")(**self._message(said))
        message.sender = get_user_model()(**person(said.sender))
        message.relations = MessageRelations()
        return {
            "stream": streams.room_stream(message.room_id),
            "seq": said.seq,
            "kind": MessageSent.__name__,
            "payload": streams.render(MessageSent(message)),
            "created_at": said.at,
        }


@dataclass(slots=True)
class _Said:
    """A message of the history.

    Attributes:
        key: its primary key.
        place: of its group among all.
        sender, reader: users.
        at: when it was written.
        seq: its place in the group's stream.
    """

    key: uuid.UUID
    place: int
    sender: int
    reader: int
    at: datetime
    seq: int


def _key(chance: random.Random) -> uuid.UUID:
    return uuid.UUID(int=chance.getrandbits(128), version=4)


def copy(model: type[models.Model], rows: Iterable[Row]) -> None:
    """Write rows of a model: with COPY on PostgreSQL, in batches elsewhere.

    Args:
        model: the model. Columns that the rows do not name get their fields' defaults.
        rows: values by the names of the columns (`attname`s). All rows name the same.
    """
    iterator = iter(rows)
    first = next(iterator, None)
    if first is None:
        return
    named = [field for field in model._meta.concrete_fields if field.attname in first]
    others = [
        field
        for field in model._meta.concrete_fields
        if field.attname not in first and not isinstance(field, models.AutoField)
    ]
    # Asking a field to prepare a value costs more than COPY does: PostgreSQL's driver takes
    # what rows name as it is, and a default that is always the same is prepared once.
    as_they_are = connection.vendor == "postgresql"
    fixed = {field: _prepared_default(field) for field in others if not callable(field.default)}
    given = [field.attname for field in named]

    def values(row: Row) -> list[Any]:
        if as_they_are:
            own = [row[name] for name in given]
        else:
            own = [field.get_db_prep_save(row[field.attname], connection) for field in named]
        return own + [
            fixed[field] if field in fixed else _prepared_default(field) for field in others
        ]

    columns = [connection.ops.quote_name(str(field.column)) for field in (*named, *others)]
    table = connection.ops.quote_name(model._meta.db_table)
    prepared = (values(row) for row in _chain(first, iterator))
    _insert(f"{table} ({', '.join(columns)})", len(columns), prepared)


def _prepared_default(field: models.Field[Any, Any]) -> Any:
    now = getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False)
    value = timezone.now() if now else field.get_default()
    return field.get_db_prep_save(value, connection)


def _chain(first: Row, rest: Iterator[Row]) -> Iterator[Row]:
    yield first
    yield from rest


def _insert(into: str, width: int, rows: Iterable[Sequence[Any]]) -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {into} FROM STDIN") as sink:
                for row in rows:
                    sink.write_row(row)
        else:
            places = ", ".join(["%s"] * width)
            cursor.executemany(f"INSERT INTO {into} VALUES ({places})", list(rows))
