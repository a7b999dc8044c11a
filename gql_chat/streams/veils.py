"""Veils: a frame for a whole room, as those members get it from whom some of it is hidden.

With the feature `history` not all members see the same messages of a room. A frame is rendered once
for all of them, and something may happen to an old message: it is answered, edited, read, pinned,
reacted to. So the event is written under the lock of the room together with who sees how much of it
(`Envelope.change`). The log keeps the whole frame. Whoever hands it to a member veils it: a hidden
message stands there like a deleted one, and a hidden quote is null. Stream, sequence number and
shape stay, so no stream has a gap.

A frame that shows nothing but what all members see has no veil. That costs nothing but a look at
`Room.visible_to_all_from`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import orjson

from ..events import Event
from ..models import AbstractMessage, AbstractRoom, Membership
from ..models.relations import relations_of
from ..models.visibility import FEATURE
from ..nouns import has_feature
from .envelopes import Envelope, parse_payload
from .shown import blank, find_messages

VEIL = "veil"
"""The key in an envelope's `change`."""

_PARENT = "parent_message"


def find_veil(room: AbstractRoom, event: Event) -> dict[str, Any] | None:
    """Return from which members some of an event is hidden; None if all of them see all of it.

    Args:
        room: the room, locked.
        event: what happens in it.

    Returns:
        `messages`: the ids of messages that somebody does not see, in the order of their times;
        and `from`: by the id of a user how many of these, from the first on, are hidden.
    """
    if not has_feature(FEATURE):
        return None
    since = room.visible_to_all_from
    old = {m.pk: m.created_at for m in _shown_by(event, room) if m.created_at < since}
    if not old:
        return None
    ordered = sorted(old.items(), key=lambda item: item[1])
    times = [created_at for _, created_at in ordered]
    members = Membership.objects.primary(room_id=room.pk, visible_from__gt=times[0])
    hidden = {
        str(user_id): bisect_left(times, visible_from)
        for user_id, visible_from in members.values_list("user_id", "visible_from")
    }
    if not hidden:
        return None
    return {"messages": [str(message_id) for message_id, _ in ordered], "from": hidden}


def _shown_by(event: Event, room: AbstractRoom) -> Iterator[AbstractMessage]:
    """Yield the messages of a room that an event shows, and those that they quote."""
    one, several = getattr(event, "message", None), getattr(event, "messages", ())
    for message in [one, *several] if isinstance(several, list) else [one]:
        if isinstance(message, AbstractMessage) and message.room_id == room.pk:
            yield message
            quote = relations_of(message).parent_message
            if quote is not None and quote.room_id == room.pk:
                yield quote


def count_hidden(envelope: Envelope, user: str) -> int:
    """Return how many of the messages that a frame's veil names are hidden from a user."""
    veil = (envelope.change or {}).get(VEIL)
    return veil["from"].get(user, 0) if veil else 0


def veil(envelope: Envelope, count: int) -> Envelope:
    """Return a frame as those get it from whom the first messages that its veil names are hidden.

    Args:
        envelope: the frame.
        count: how many messages; with 0 the frame is left as it is.
    """
    if not count:
        return envelope
    hidden = set((envelope.change or {})[VEIL]["messages"][:count])
    payload = parse_payload(envelope.payload)
    for message, kind in list(find_messages(payload)):
        quote = message.get(_PARENT)
        if isinstance(quote, dict) and str(quote.get("id")) in hidden:
            message[_PARENT] = None
        if str(message["id"]) in hidden:
            blank(message, kind)
    return replace(envelope, payload=orjson.dumps(payload).decode())


def veil_for(user_id: Any, envelopes: Sequence[Envelope]) -> list[Envelope]:
    """Return frames as one user gets them."""
    user = str(user_id)
    return [veil(envelope, count_hidden(envelope, user)) for envelope in envelopes]
