"""Quotes: a user who is out of a room is replayed their own messages of it without the quotes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import orjson
from django.db import router

from ..models import Membership
from .envelopes import Envelope, parse_payload, user_stream
from .shown import find_messages, room_of

_PARENT = "parent_message"
_SIGN = f'"{_PARENT}":{{'


def withhold_quotes(user_id: Any, envelopes: Sequence[Envelope]) -> list[Envelope]:
    """Return envelopes that are replayed to a user, without quotes from rooms they are not in.

    The user's own stream shows messages of the user's, with the messages of others that these
    answer. While the user was in the room, that was theirs to read.

    Args:
        user_id: the user.
        envelopes: the envelopes, of any streams; those of rooms are left as they are.
    """
    own = user_stream(user_id)
    quoting = {
        place: parse_payload(envelope.payload)
        for place, envelope in enumerate(envelopes)
        if envelope.stream == own and _SIGN in envelope.payload
    }
    shown = list(envelopes)
    if not quoting:
        return shown
    allowed = _rooms_of(user_id, quoting.values())
    for place, payload in quoting.items():
        if _withhold(payload, allowed):
            shown[place] = replace(shown[place], payload=orjson.dumps(payload).decode())
    return shown


def _rooms_of(user_id: Any, payloads: Any) -> set[str]:
    """Return which of the rooms that are quoted from the user is in."""
    named = {
        str(room_of(message))
        for payload in payloads
        for message, _ in find_messages(payload)
        if room_of(message) is not None
    }
    memberships = Membership.objects.using(router.db_for_write(Membership))
    found = memberships.filter(user_id=user_id, room_id__in=[UUID(room) for room in named])
    return set(map(str, found.values_list("room_id", flat=True)))


def _withhold(payload: Any, allowed: set[str]) -> bool:
    withheld = False
    for message, _ in find_messages(payload):
        quote = message.get(_PARENT)
        if isinstance(quote, dict) and room_of(quote) not in allowed:
            message[_PARENT] = None
            withheld = True
    return withheld
