"""Export: all that the chat has of a user, line by line, in little memory.

Rows are read by their keys, a window after the other. No cursor stays open, and no transaction: the
caller may take the lines as slowly as it likes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.core.serializers.json import DjangoJSONEncoder
from django.db import router
from django.db.models import Q, QuerySet
from guardian.models import UserObjectPermission

from ..errors import NotFound
from ..models import Delivery, Membership, UserStream, get_model
from ..models.accounts import accounts
from ..models.pending import find_newest, find_older
from ..nouns import has_feature
from .relations import Relation, find_relations

_KEYS_AT_ONCE = 20_000
_ROWS_AT_ONCE = 500

Line = dict[str, Any]


def export_lines(user_id: Any) -> Iterator[str]:
    """Yield all that the chat has of a user, each line an object in JSON with its `kind`.

    Args:
        user_id: the user.

    Raises:
        NotFound: there is no such user.
    """
    user = accounts().filter(pk=user_id).first()
    if user is None:
        raise NotFound("There is no such user.")
    return map(_write, _lines(user))


def _write(line: Line) -> str:
    return json.dumps(line, cls=_Encoder, ensure_ascii=False) + "\n"


class _Encoder(DjangoJSONEncoder):
    """Writes what a project's own columns may hold, too: by its text."""

    def default(self, o: Any) -> Any:
        """Return what stands for a value that JSON does not know."""
        try:
            return super().default(o)
        except TypeError:
            return str(o)


def _lines(user: Any) -> Iterator[Line]:
    yield {
        "kind": "user",
        "id": user.pk,
        "username": user.get_username(),
        "email": getattr(user, user.get_email_field_name(), None) or "",
        "first_name": getattr(user, "first_name", ""),
        "last_name": getattr(user, "last_name", ""),
    }
    message, room = get_model("Message"), get_model("Room")
    notification = get_model("ChatNotification")
    for relation in find_relations():
        if issubclass(relation.model, Membership):
            yield from _rooms(relation, user.pk)
        elif issubclass(relation.model, message):
            yield from _messages(relation, user.pk)
        elif not issubclass(relation.model, (UserStream, room, notification)):
            for rows in _in_chunks(relation.of(user.pk)):
                yield from (_row(_kind(relation), row) for row in rows)
    yield from _notifications(user.pk)
    yield from _permissions(user.pk)


def _kind(relation: Relation) -> str:
    """Return what a row is called, as the protocol calls it."""
    if relation.model is Delivery:
        return "delivery"
    names = {
        get_model(name): kind
        for name, kind in (
            ("ReadReceipt", "read_receipt"),
            ("Reaction", "reaction"),
            ("Session", "session"),
        )
    }
    return names.get(relation.model) or str(relation.model._meta.verbose_name).replace(" ", "_")


def _row(kind: str, row: Any, **besides: Any) -> Line:
    """Return all columns of a row, those of the project's too."""
    columns = {field.attname: field.value_from_object(row) for field in row._meta.concrete_fields}
    return {"kind": kind, **columns, **besides}


def _in_chunks(rows: QuerySet[Any], order: str = "") -> Iterator[list[Any]]:
    """Yield rows, some at a time, by their keys.

    Args:
        rows: the rows.
        order: the column that they are ordered by before their keys, never NULL.
    """
    columns = [order, "pk"] if order else ["pk"]
    after: tuple[Any, ...] | None = None
    while True:
        window = rows if after is None else rows.filter(_after(columns, after))
        places = list(window.order_by(*columns).values_list(*columns)[:_KEYS_AT_ONCE])
        for start in range(0, len(places), _ROWS_AT_ONCE):
            keys = [place[-1] for place in places[start : start + _ROWS_AT_ONCE]]
            found = rows.in_bulk(keys)
            yield [found[key] for key in keys if key in found]
        if len(places) < _KEYS_AT_ONCE:
            return
        after = places[-1]


def _after(columns: list[str], place: tuple[Any, ...]) -> Any:
    first = Q(**{f"{columns[0]}__gt": place[0]})
    if len(columns) == 1:
        return first
    return first | Q(**{columns[0]: place[0], f"{columns[1]}__gt": place[1]})


def _rooms(relation: Relation, user_id: Any) -> Iterator[Line]:
    """Yield the rooms that the user is in, with what they are in them."""
    rows = relation.of(user_id).select_related("room", "room__property")
    if has_feature("read_markers"):
        rows = rows.select_related("room", "room__property", "marker")
    for memberships in _in_chunks(rows):
        for membership in memberships:
            room = membership.room
            yield {
                "kind": "room",
                "id": room.pk,
                "type": room.type,
                "name": room.name,
                "description": room.description,
                "created_at": room.created_at,
                "is_creator": room.creator_id == user_id,
                "role": membership.role,
                "joined_at": membership.joined_at,
                "preferences": getattr(getattr(room, "property", None), "preferences", {}),
                **_reading(membership),
            }


def _reading(membership: Membership) -> Line:
    """Return how far a user has read a room, as the members were told."""
    if not has_feature("read_markers"):
        return {}
    marker = getattr(membership, "marker", None)
    return {
        "read_up_to": getattr(marker, "up_to", None),
        "read_at": getattr(marker, "read_at", None),
        "marked_unread": getattr(marker, "marked", False),
    }


def _messages(relation: Relation, user_id: Any) -> Iterator[Line]:
    """Yield what the user wrote, the oldest first, with the links to media."""
    media = get_model("MessageMediaAsset")
    assets = media._base_manager.using(router.db_for_write(media))
    for messages in _in_chunks(relation.of(user_id), "created_at"):
        found: dict[Any, list[Line]] = {message.pk: [] for message in messages}
        for asset in assets.filter(message_id__in=list(found)).order_by("position"):
            found[asset.message_id].append(_row("attachment", asset))
        for message in messages:
            yield _row("message", message, attachments=found[message.pk])


def _notifications(user_id: Any) -> Iterator[Line]:
    """Yield what waits for the user, the newest first."""
    find = partial(find_newest, user_id, _ROWS_AT_ONCE, everything=True)
    while waiting := find():
        for notification in waiting:
            yield _row("notification", notification)
        find = partial(find_older, user_id, _ROWS_AT_ONCE, waiting[-1], everything=True)


def _permissions(user_id: Any) -> Iterator[Line]:
    """Yield the object permissions that the user holds on rooms."""
    held = UserObjectPermission.objects.using(router.db_for_write(UserObjectPermission))
    on_rooms = held.filter(content_type=ContentType.objects.get_for_model(get_model("Room")))
    for rows in _in_chunks(on_rooms.filter(user_id=user_id).select_related("permission")):
        for row in rows:
            permission = row.permission.codename
            yield {"kind": "permission", "room_id": row.object_pk, "permission": permission}
