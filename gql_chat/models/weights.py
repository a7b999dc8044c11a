"""Weights: how many bytes a message takes in an answer, with what hangs on it and what it quotes.

Texts are weighed as JSON has them. People who read, got or reacted to a message count by the head:
what frames show of a user is the project's to say. So weights are estimates; the bridge measures
the frame itself.

`weigh` asks the database, before anything is loaded. `weigh_loaded` weighs what was loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache, reduce
from operator import add, or_
from typing import Any

import orjson
from django.db import models
from django.db.models import Case, Exists, F, Func, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Coalesce

from ..conf import chat_settings
from ..sql.statements import Among, Many, Statement
from .messages import Delivery, MessageCopy
from .registry import get_model

MESSAGE = 700
"""How many bytes a message has around its text: keys, ids, times, flags, and the sender."""

ATTACHMENT = 240
"""How many bytes an attachment has around its texts."""

RECEIPT = 320
REACTION = 420
DELIVERY = 40

EXCERPT = MESSAGE + 400
"""How many bytes an excerpt has: the beginning of a text, with nothing that hangs on the
message."""

ROOM = 560
"""How many bytes a room has in the list of rooms around its texts and its last message."""

ESCAPED = 6
"""A character has at most so many bytes in JSON."""

_SHORT = 256
"""Texts of so many characters at most are counted as if they were as long."""

_TEXTS_OF_ROOM = {"name", "description", "avatar"}

_TIMES = 4
"""So many times as much text as an answer may have is read unweighed, if need be."""

_NULL = 4
"""The size of a value that is not there: `null`."""

_QUOTES = ("parent_message_id", "uncopied_id")


class Octets(Func):
    """The size in bytes of a value as JSON has it; of JSON on SQLite, as it is stored, or more."""

    arity = 1
    output_field = models.BigIntegerField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Return the expression in PostgreSQL's SQL."""
        template = "OCTET_LENGTH(TO_JSON(%(expressions)s)::text)"
        return self.as_sql(compiler, connection, template=template, **context)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Return the expression in SQLite's SQL."""
        is_json = isinstance(self.get_source_expressions()[0].output_field, models.JSONField)
        value = "%(expressions)s" if is_json else "JSON_QUOTE(%(expressions)s)"
        template = f"LENGTH(CAST({value} AS BLOB))"
        return self.as_sql(compiler, connection, template=template, **context)


class StoredOctets(Func):
    """The size in bytes of a text as it is stored: of one that is JSON already."""

    arity = 1
    output_field = models.BigIntegerField()
    function = "OCTET_LENGTH"

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Return the expression in SQLite's words; old versions lack `OCTET_LENGTH`."""
        template = "LENGTH(CAST(%(expressions)s AS BLOB))"
        return self.as_sql(compiler, connection, template=template, **context)


@cache
def find_texts(model: Any) -> tuple[tuple[str, ...], int]:
    """Return the columns of a model whose values may be long, and what its short texts count."""
    texts = [
        field
        for field in model._meta.concrete_fields
        if isinstance(field, models.CharField | models.TextField | models.JSONField)
    ]
    lengths = {field.attname: field.max_length or _SHORT + 1 for field in texts}
    long = tuple(name for name, length in lengths.items() if length > _SHORT)
    return long, sum(length for name, length in lengths.items() if name not in long)


def octets_of_text(name: str) -> Any:
    """Return the expression for the size of a column's value."""
    return Coalesce(Octets(F(name)), Value(_NULL))


def octets_of(model: type[models.Model], base: int) -> Any:
    """Return the expression for the weight of a row's own texts.

    Args:
        model: the row's model.
        base: what the row has around them.
    """
    long, short = find_texts(model)
    sizes = map(octets_of_text, long)
    return reduce(add, sizes, Value(base + short, output_field=models.BigIntegerField()))


def _total(rows: Any, weight: Any) -> Any:
    """Return the subquery for what rows weigh together; 0 if there are none."""
    # As a plain function: Django would group by something for an aggregate of its own.
    total = Func(weight, function="SUM", output_field=models.BigIntegerField())
    return Coalesce(Subquery(rows.order_by().values(total=total)), Value(0))


def _any_of(name: str, *columns: str) -> Q:
    """Return the condition that a column has the value of one of those of the outer row."""
    return reduce(or_, (Q(**{name: OuterRef(column)}) for column in columns))


def octets_of_copy() -> Any:
    """Return the expression for the weight of what a forward passes on: a `MessageCopy`.

    Its text has the keys of columns, so with attachments it is about what a frame has of it.
    """
    return Value(MESSAGE, output_field=models.BigIntegerField()) + StoredOctets(F("columns"))


def _uncopied() -> Any:
    """Return the expression for the message that a forward shows as it is now; null for none."""
    copied = Exists(MessageCopy.objects.filter(message_id=OuterRef("pk")))
    return Case(When(copied, then=None), default=F("forwarded_from_id"))


def weight_of_message() -> Any:
    """Return the expression for the weight of a message: a correlated one, of few index lookups.

    The messages are annotated with `uncopied_id` (`_uncopied`).
    """
    message, asset = get_model("Message"), get_model("MessageMediaAsset")
    hangs_on_it = _any_of("message", "pk", *_QUOTES)
    people = (
        (get_model("ReadReceipt"), RECEIPT),
        (get_model("Reaction"), REACTION),
        (Delivery, DELIVERY),
    )
    weights = [
        _total(asset.objects.filter(hangs_on_it), octets_of(asset, ATTACHMENT)),
        _total(message.objects.filter(_any_of("pk", *_QUOTES)), octets_of(message, MESSAGE)),
        _total(MessageCopy.objects.filter(message_id=OuterRef("pk")), octets_of_copy()),
        *(_total(of.objects.filter(hangs_on_it), Value(each)) for of, each in people),
    ]
    return reduce(add, weights, octets_of(message, MESSAGE))


_weights: Statement[Any] = Statement(
    lambda ids: (
        get_model("Message")
        .objects.filter(Among(F("pk"), ids))
        .annotate(uncopied_id=_uncopied())
        .order_by()
        .values_list("pk", weight_of_message())
    ),
    lambda: [Many(get_model("Message")._meta.pk)],
)


def weigh(message_ids: Iterable[Any]) -> dict[Any, int]:
    """Return the weights of messages, by id, in one statement that loads none of them."""
    ids = list(message_ids)
    return dict(_weights.all(ids)) if ids else {}


def may_be_long(count: int, limit: int) -> bool:
    """Tell whether the texts of so many messages may be too much to be read unweighed.

    They are not where no text may be long: a few times the limit is no harm.

    Args:
        count: how many messages.
        limit: how many bytes an answer may have.
    """
    length = chat_settings.MAX_MESSAGE_LENGTH
    return length is None or length * count > _TIMES * limit


# What is loaded


def weigh_loaded(messages: Sequence[Any]) -> list[int]:
    """Return the weight of each of these messages, whose relations are loaded."""
    known: dict[int, int] = {}
    return [_weigh_whole(message, known) for message in messages]


def weigh_quotes(messages: Iterable[Any]) -> int:
    """Return the weight of what these messages quote; one quoted by several counts for each."""
    known: dict[int, int] = {}
    return sum(
        _weigh_one(quote, known)
        for message in messages
        if message.parent_message_id or message.forwarded_from_id
        for quote in _quotes_of(message)
    )


def _quotes_of(message: Any) -> list[Any]:
    relations = message.relations
    quotes = (relations.parent_message, relations.forwarded_from)
    return [quote for quote in quotes if quote is not None]


def _weigh_whole(message: Any, known: dict[int, int]) -> int:
    """Return what a message weighs with its quotes.

    Args:
        message: the message.
        known: what was weighed before, by identity.
    """
    return sum(_weigh_one(each, known) for each in (message, *_quotes_of(message)))


def _weigh_one(message: Any, known: dict[int, int]) -> int:
    weight = known.get(id(message))
    if weight is None:
        relations = message.relations
        weight = known[id(message)] = (
            weigh_texts(message, MESSAGE)
            + sum(weigh_texts(asset, ATTACHMENT) for asset in relations.attachments)
            + RECEIPT * len(relations.read_receipts)
            + REACTION * len(relations.reactions)
            + DELIVERY * len(relations.delivered_to)
        )
    return weight


def weigh_room(room: Any) -> int:
    """Return the weight of a room in the list of rooms, without its last message.

    A project's own columns count where they may be long, whether the list shows them or not.
    """
    long, _ = find_texts(room.__class__)
    own = [getattr(room, name) for name in long if name not in _TEXTS_OF_ROOM]
    texts = [room.name, room.description, room.avatar, *own]
    return ROOM + len(orjson.dumps(texts, default=str))


def weigh_texts(row: Any, base: int) -> int:
    """Return the weight of a row's own texts, with what it has around them."""
    long, short = find_texts(row.__class__)
    sizes = (len(orjson.dumps(getattr(row, name), default=str)) for name in long)
    return base + short + sum(sizes)
