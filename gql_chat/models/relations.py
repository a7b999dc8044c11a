"""Loads all that frames show of messages and rooms, in a constant number of queries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from operator import attrgetter, itemgetter
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import F

from ..errors import Invalid
from ..sizes import BULK, cut, find_limit
from ..sql.statements import Among, Keys, Many, Statement, find_among
from . import (
    AbstractMessage,
    AbstractRoom,
    Membership,
    MessageCopy,
    get_model,
)
from .accounts import as_shown, shown_version
from .beginnings import first_copies
from .copies import copy_source, revive
from .cuts import first_memberships, most_members, most_receipts
from .loads import First, Load, TooHeavy, count_more, find_relations
from .mentions import Mentions
from .read_markers import with_users
from .weights import (
    ESCAPED,
    MESSAGE,
    find_texts,
    may_be_long,
    weigh,
    weigh_loaded,
    weigh_quotes,
)

_quotable: Statement[Any] = find_among(
    lambda: get_model("Message").objects.filter(is_deleted=False), "id"
)
_copies: Statement[Any] = find_among(lambda: MessageCopy.objects.all(), "message_id")
_memberships: Statement[Any] = find_among(
    lambda: as_shown(with_users(Membership.objects), "user").order_by("pk"),
    "room_id",
    shown_version,
)

_properties: Statement[Any] = find_among(lambda: get_model("RoomProperty").objects.all(), "room_id")
_users: Statement[Any] = Statement(
    lambda ids: as_shown(get_user_model()._base_manager.filter(Among(F("pk"), ids))),
    lambda: [Many(get_user_model()._meta.pk)],
    shown_version,
)


@dataclass(slots=True)
class MessageRelations:
    """What hangs on a message: attachments, receipts, reactions, who has got it, who is named.

    Where frames show only some of these lists (`gql_chat.models.cuts`), the newest are loaded.

    Attributes:
        more_receipts, more_reactions, more_deliveries: how many there are besides those loaded.
    """

    attachments: list[Any] = field(default_factory=list)
    read_receipts: list[Any] = field(default_factory=list)
    reactions: list[Any] = field(default_factory=list)
    delivered_to: list[str] = field(default_factory=list)
    mentions: Mentions = field(default_factory=Mentions)
    parent_message: AbstractMessage | None = None
    forwarded_from: AbstractMessage | None = None
    more_receipts: int = 0
    more_reactions: int = 0
    more_deliveries: int = 0


def load_messages(
    messages: Iterable[AbstractMessage],
    users: dict[Any, Any] | None = None,
    quoted: Iterable[AbstractMessage] | None = None,
    wanted: Iterable[Any] = (),
    load: Load | None = None,
) -> list[Any]:
    """Give each message its `relations`, and its `sender`; return the messages as a list.

    The message that a reply answers gets its own too, one level deep. If it stands in another
    room, nobody learns who has got it, read it or reacted to it. One that is deleted is quoted no
    more, whether its row is kept or not.

    A forward shows what it passes on as that was then (`MessageCopy`), without what others did
    with it and, from another room, without that room's id.

    Rows that went with their user's account while this was reading are left out. A message whose
    sender was erased stays, without a sender.

    Args:
        messages: the messages.
        users: users who are at hand, by id, and so need not be read; those read are added.
        quoted: all that the messages quote, where that is at hand.
        wanted: the ids of users who are to be read, too, if there are messages. Their receipts and
            reactions are loaded, however old.
        load: says how much may be loaded, and is told how much it was.

    Raises:
        TooHeavy: more hangs on the messages than `load` allows.
    """
    messages = list(messages)
    load = load or Load()
    load.count = len(messages)
    sources = _find_sources(messages, load.limit)
    found = _find_quoted(messages, sources) if quoted is None else list(quoted)
    users = {} if users is None else users
    if messages:
        senders = {source.sender_id for source in sources.values()}
        _fill([*found, *messages], users, senders.union(wanted) - {None}, load)
    quotes = {message.pk: message for message in _linked(found, "sender", users)}
    shown = {source.pk for source in _linked(list(sources.values()), "sender", users)}
    messages = _linked(messages, "sender", users)
    for message in messages if quotes or sources else ():
        message.relations.parent_message = _quote(message, quotes.get(message.parent_message_id))
        source = sources.get(message.pk)
        if source is None:
            # Made before there were copies, or by code that writes no copy.
            source = _show_source(message, quotes.get(message.forwarded_from_id))
        elif source.pk not in shown:
            source = None
        message.relations.forwarded_from = source
    return messages


def keep_copy(message: AbstractMessage, source: AbstractMessage) -> None:
    """Give a new forward, which is loaded, the copy of its source; it shows it from now on.

    Args:
        message: the forward; its `source_copy` is written with it.
        source: what it passes on, loaded with its sender.
    """
    message.source_copy = copy_source(message, source, source.relations.attachments)
    shown = _revive(message.source_copy, message)
    shown.sender = source.sender
    message.relations.forwarded_from = shown


def _find_sources(messages: list[Any], limit: int | None) -> dict[Any, Any]:
    """Return what stored forwards pass on, as it was then: by the forward's key.

    Raises:
        TooHeavy: it has more bytes than the limit.
    """
    forwards = {message.pk: message for message in messages if message.is_forwarded}
    if not forwards or all(message._state.adding for message in forwards.values()):
        return {}
    if limit is None:
        copies = _copies.all(forwards)
    else:
        copies = first_copies.all(forwards, limit)
        if max((each.weight_so_far for each in copies), default=0) > limit:
            raise TooHeavy
    return {each.message_id: _revive(each, forwards[each.message_id]) for each in copies}


def _revive(copied: MessageCopy, forward: AbstractMessage) -> AbstractMessage:
    source, attachments = revive(copied, forward)
    source.relations = MessageRelations(attachments=attachments)
    return source


def _find_quoted(messages: list[Any], sources: dict[Any, Any]) -> list[Any]:
    ids = {message.parent_message_id for message in messages}
    ids.update(message.forwarded_from_id for message in messages if message.pk not in sources)
    ids.discard(None)
    return _quotable.all(ids) if ids else []


def _quote(message: AbstractMessage, quoted: Any) -> Any:
    if quoted is not None and quoted.room_id != message.room_id:
        # A copy: another message here may quote it in its own room.
        quoted = copy(quoted)
        quoted.relations = MessageRelations(attachments=quoted.relations.attachments)
    return quoted


def _show_source(message: AbstractMessage, source: Any) -> Any:
    """Return a source of which there is no copy, as a copy would show it."""
    if source is None:
        return None
    shown = copy(source)
    shown.relations = MessageRelations(attachments=source.relations.attachments)
    if source.room_id != message.room_id:
        shown.room_id = None
    return shown


def _fill(messages: list[Any], users: dict[Any, Any], wanted: set[Any], load: Load) -> None:
    """Give messages their relations, but for quotes; add the users of all, and those wanted."""
    relations = {message.pk: MessageRelations() for message in messages}
    own = list(wanted)
    found = find_relations(messages, Keys(relations), load, own)
    attachments, receipts, reactions, deliveries, mentions = found
    for asset in attachments:
        relations[asset.message_id].attachments.append(asset)
    wanted.update(receipt.reader_id for receipt in receipts)
    wanted.update(reaction.user_id for reaction in reactions)
    wanted.update(user_id for _, user_id, *_ in deliveries)
    wanted.update(user_id for _, user_id, *_ in mentions if user_id is not None)
    _find_users(messages, users, wanted)
    for receipt in _linked(receipts, "reader", users):
        relations[receipt.message_id].read_receipts.append(receipt)
    for reaction in _linked(reactions, "user", users):
        relations[reaction.message_id].reactions.append(reaction)
    for message_id, user_id, *_ in deliveries:
        if user_id in users:
            relations[message_id].delivered_to.append(users[user_id].get_username())
    if most_receipts() is not None:
        by_message = attrgetter("message_id", "total")
        count_more(
            relations,
            more_receipts=(receipts, by_message),
            more_reactions=(reactions, by_message),
            more_deliveries=(deliveries, itemgetter(0, 2)),
        )
    for message_id, user_id, whole_room, here in mentions:
        shown = relations[message_id].mentions
        if user_id is None:
            shown.room, shown.here = whole_room, here
        elif user_id in users:
            shown.users.append(users[user_id])
    for message in messages:
        message.relations = relations[message.pk]


def _find_users(messages: list[Any], users: dict[Any, Any], wanted: set[Any]) -> None:
    """Add the senders of messages, and the users with these ids; users at hand are not read."""
    link = messages[0]._meta.get_field("sender")
    for message in messages:
        sender = link.get_cached_value(message, default=None)
        if sender is not None:
            users[sender.pk] = sender
        elif message.sender_id is not None:
            wanted.add(message.sender_id)
    if absent := wanted - users.keys():
        for user in _users.all(absent):
            users[user.pk] = user


def _linked(rows: list[Any], name: str, users: dict[Any, Any]) -> list[Any]:
    """Give rows the user that a field refers to; return those whose user is there.

    A row that refers to nobody, such as a message whose sender was erased, stays without one.
    """
    if not rows:
        return rows
    link = rows[0]._meta.get_field(name)
    linked = []
    for row in rows:
        key = getattr(row, link.attname)
        user = users.get(key)
        if user is not None:
            link.set_cached_value(row, user)
        if user is not None or key is None:
            linked.append(row)
    return linked


def relations_of(message: Any) -> MessageRelations:
    """Return a message's relations, loading them where nobody has yet."""
    try:
        relations: MessageRelations = message.relations
    except AttributeError:
        load_messages([message])
        relations = message.relations
    return relations


def load_first(
    messages: Sequence[Any], limit: int | None, *, once: Sequence[Any] | None = None
) -> First:
    """Load what frames show of the first of some messages: of as many as fit into an answer.

    One that stands there several times counts as often. More than fits is never loaded. It takes
    the statements of `load_messages`. If something is too much, it takes at most one more, and
    those of `load_messages` again.

    Args:
        messages: the messages, in the order in which they are wanted.
        limit: how many bytes the answer may have; None for any number.
        once: the messages, each once, if some stand there several times.
    """
    load = Load(limit)
    try:
        loaded = load_messages(messages if once is None else once, load=load)
    except TooHeavy:
        known = weigh(message.pk for message in messages)
        # One that is gone by now weighs nothing.
        weights = [known.get(message.pk, 0) for message in messages]
        count = cut(weights, limit or 0)
        fitting = {message.pk: message for message in messages[:count]}
        return First(load_messages(fitting.values()), count, sum(weights[:count]))
    if limit is None or not messages:
        return First(loaded, len(messages), 0)
    if (most := _at_most(messages, load)) <= limit:
        return First(loaded, len(messages), most)
    weights = weigh_loaded(messages)
    count = cut(weights, limit)
    keys = {message.pk for message in messages[:count]}
    loaded = [message for message in loaded if message.pk in keys]
    return First(loaded, count, sum(weights[:count]))


def load_whole(messages: Sequence[Any], limit: int) -> First | None:
    """Load what frames show of messages, if all of it fits into an answer; else return None.

    Args:
        messages: the messages.
        limit: how many bytes the answer may have.
    """
    load = Load(limit)
    try:
        loaded = load_messages(messages, load=load)
    except TooHeavy:
        return None
    if not messages:
        return First(loaded, 0, 0)
    weight = _at_most(messages, load)
    if weight > limit:
        weight = sum(weigh_loaded(messages))
    return First(loaded, len(messages), weight) if weight <= limit else None


def load_all(
    messages: Sequence[Any], users: dict[Any, Any] | None = None, *, wanted: Iterable[Any] = ()
) -> list[Any]:
    """Load what frames show of messages that one event names; see `load_messages`.

    One message is always told of. Of several no more is told, and loaded, than a few answers hold.

    Raises:
        Invalid: they are too large together.
    """
    limit = find_limit()
    if limit is None or len(messages) < 2:
        return load_messages(messages, users, wanted=wanted)
    load = Load(BULK * limit)
    try:
        loaded = load_messages(messages, users, wanted=wanted, load=load)
    except TooHeavy:
        raise _too_large() from None
    if _at_most(messages, load) > BULK * limit and sum(weigh_loaded(messages)) > BULK * limit:
        raise _too_large()
    return loaded


def check_texts(message_ids: Sequence[Any]) -> None:
    """Refuse messages that one event names, before they are read, where their texts may be long.

    Raises:
        Invalid: they are too large together.
    """
    limit = find_limit()
    if limit is None or len(message_ids) < 2 or not may_be_long(len(message_ids), BULK * limit):
        return
    if sum(weigh(message_ids).values()) > BULK * limit:
        raise _too_large()


def _too_large() -> Invalid:
    return Invalid({"message_id": "These messages are too large together: name fewer."})


def _at_most(messages: Sequence[Any], load: Load) -> int:
    """Return what messages weigh at most, by an estimate that costs little."""
    long, short = find_texts(messages[0].__class__)
    if len(long) > 1 or load.count < len(messages):
        return sum(weigh_loaded(messages))
    characters = sum([len(message.content) for message in messages])
    least = (MESSAGE + short) * len(messages) + ESCAPED * characters + load.weight
    return least + weigh_quotes(messages)


def load_rooms(rooms: Sequence[AbstractRoom], named: Iterable[Any] = ()) -> Sequence[Any]:
    """Give each room its `members`, memberships with their users in the order of joining.

    Its `property` and its `creator` are then at hand, too.

    Where frames show only some members (`gql_chat.models.cuts`), leaders come first, the first are
    loaded, and `more_members` says how many there are besides.

    Args:
        rooms: the rooms.
        named: ids of users whose memberships are loaded in any case.
    """
    by_id: dict[Any, Any] = {room.pk: room for room in rooms}
    most = most_members()
    memberships: Any
    if most is None:
        memberships = _memberships.all(by_id)
    else:
        named = list(named)
        memberships = first_memberships.all(by_id, named, most + len(named))
    for room in by_id.values():
        room.members = []
        room.more_members = 0
    for membership in memberships:
        room = by_id[membership.room_id]
        room.members.append(membership)
        room.more_members = 0 if most is None else membership.total - len(room.members)
        if membership.user_id == room.creator_id:
            room.creator = membership.user
    _load_creators(by_id.values())
    for found in _properties.all(by_id):
        found.room = by_id[found.room_id]
    return rooms


def _load_creators(rooms: Iterable[Any]) -> None:
    """Load the creators that rooms show and that are not at hand: they have left the room."""
    link = get_model("Room")._meta.get_field("creator")
    absent = [
        room
        for room in rooms
        if room.rules.named and room.creator_id is not None and not link.is_cached(room)
    ]
    if absent:
        users = {user.pk: user for user in _users.all({room.creator_id for room in absent})}
        for room in absent:
            link.set_cached_value(room, users.get(room.creator_id))


def members_of(room: Any) -> list[Membership]:
    """Return a room's memberships, as many as are loaded, loading them where nobody has yet."""
    if not hasattr(room, "members"):
        load_rooms([room])
    members: list[Membership] = room.members
    return members


def member_ids(room: Any) -> list[Any]:
    """Return the ids of all members of a room whose members, or the first of them, are loaded."""
    if room.more_members:
        return list(Membership.objects.primary(room_id=room.pk).values_list("user_id", flat=True))
    return [membership.user_id for membership in members_of(room)]
