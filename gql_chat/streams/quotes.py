"""Quotes: what is replayed to a user of rooms in which they may not see all of it any more.

The user's own stream shows messages of the user's, with the messages of others that these answer,
and messages that the user has saved. While the user was in the room, that was theirs to read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db import router

from ..models import Membership
from ..models.visibility import BEGINNING, FEATURE
from ..nouns import has_feature
from .envelopes import Envelope, parse_payload, user_stream
from .shown import blank, find_messages, room_of
from .veils import veil_for

_PARENT = "parent_message"
_SIGNS = (f'"{_PARENT}":{{', '"is_deleted":')

_OF_ROOMS = frozenset({"MessagesDelivered", "MessageSaved"})
"""The events in a user's own stream that show messages as members of their rooms see them."""

Rooms = Mapping[str, datetime]
"""The rooms that a user is in, each with the time from which on the user sees what was written."""


def withhold_quotes(user_id: Any, envelopes: Sequence[Envelope]) -> list[Envelope]:
    """Return envelopes that are replayed to a user, without what the user may not see any more.

    Of a room that the user is not in, the user's own messages stay, without the quotes. In the
    streams of rooms that goes which was hidden from the user when it was sent (`streams.veils`).

    Args:
        user_id: the user.
        envelopes: the envelopes, of any streams.
    """
    own = user_stream(user_id)
    shown = veil_for(user_id, envelopes)
    showing = {
        place: parse_payload(envelope.payload)
        for place, envelope in enumerate(envelopes)
        if envelope.stream == own and any(sign in envelope.payload for sign in _SIGNS)
    }
    if not showing:
        return shown
    rooms = _rooms_of(user_id, showing.values())
    for place, payload in showing.items():
        withheld = _withhold(payload, rooms)
        if shown[place].kind in _OF_ROOMS:
            withheld |= _withhold_messages(payload, rooms, str(user_id))
        if withheld:
            shown[place] = replace(shown[place], payload=orjson.dumps(payload).decode())
    return shown


def _rooms_of(user_id: Any, payloads: Any) -> Rooms:
    """Return which of the rooms that are shown the user is in."""
    named = {
        str(room_of(message))
        for payload in payloads
        for message, _ in find_messages(payload)
        if room_of(message) is not None
    }
    memberships = Membership.objects.using(router.db_for_write(Membership))
    found = memberships.filter(user_id=user_id, room_id__in=[UUID(room) for room in named])
    if not has_feature(FEATURE):
        return {str(room_id): BEGINNING for room_id in found.values_list("room_id", flat=True)}
    return {str(room_id): since for room_id, since in found.values_list("room_id", "visible_from")}


def _is_hidden(message: Mapping[str, Any], since: datetime) -> bool:
    """Tell whether a shown message is older than what its reader sees of the room."""
    if since == BEGINNING:
        return False
    try:
        return datetime.fromisoformat(message["created_at"]) < since
    except (KeyError, TypeError, ValueError):
        return True  # a type of the project's own does not say when it was written


def _withhold(payload: Any, rooms: Rooms) -> bool:
    withheld = False
    for message, _ in find_messages(payload):
        quote = message.get(_PARENT)
        if not isinstance(quote, dict):
            continue
        room = room_of(quote)
        is_here = room == room_of(message)
        if room not in rooms or (is_here and _is_hidden(quote, rooms[room])):
            message[_PARENT] = None
            withheld = True
    return withheld


def _withhold_messages(payload: Any, rooms: Rooms, user: str) -> bool:
    withheld = False
    for message, kind in find_messages(payload):
        room = room_of(message)
        if room in rooms:
            hidden = _is_hidden(message, rooms[room])
        else:
            sender = message["sender"]
            hidden = not (isinstance(sender, dict) and str(sender.get("id")) == user)
        if hidden:
            blank(message, kind)
            withheld = True
    return withheld
