"""Declarations: how an event of a client, and a frame that it brings about, are described."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Data = Mapping[str, Any]
Answer = tuple[str, Any] | None
"""The `eventType` and `data` of a private answer; None where there is none."""

EVERYTHING = "*"
"""Selects all of what a field returns."""

Fields = tuple[str, ...]


@dataclass(frozen=True)
class Reply:
    """A private answer: the result of an operation, or a part of it, under an `eventType`.

    Attributes:
        event_type: the answer's name.
        part: the field of the result that is the answer's `data`; the whole result if empty.
            Where it is null there is no answer.
        forms: the sets of fields that the answer may have, where not always all.
        choose: takes the event's data and returns the form of its answer.
        unpaged: the path to the part that alone is the answer's `data`, if the event asks for no
            page.
    """

    event_type: str
    part: str = ""
    forms: tuple[Fields, ...] = ()
    choose: Callable[[Data], Fields] | None = None
    unpaged: Fields = ()

    def __call__(self, result: Any, data: Data) -> Answer:
        """Return the answer to an event with this data."""
        found = result[self.part] if self.part else result
        if found is None:
            return None
        if self.choose is not None:
            found = {name: found[name] for name in self.choose(data)}
        for name in self.unpaged if data.get("paginate") is None else ():
            found = found[name]
        return self.event_type, found


def as_it_is(found: Any, data: Data, limit: int) -> Any:
    """Leave an answer as large as it is."""
    return found


def keep_nothing(socket: Any, result: Any, data: Data) -> Any:
    """Leave a result as it is: the socket keeps nothing of it."""
    return result


def no_reply(result: Any, data: Data) -> Answer:
    """Answer nothing: the event is confirmed, if the client asked for that."""
    return None


@dataclass(frozen=True)
class Operation:
    """One operation of the schema, as an event asks for it.

    Attributes:
        name: that of the query or mutation.
        select: what of its result the answer needs: a selection, `EVERYTHING`, or nothing.
            In a selection `Message.*` stands for all that the type has.
        needs_data: whether the event has to carry an object as `data`.
        arguments: arguments of the field besides `input`, fixed for this event.
        refine: fields of `input` that no client may set: how each follows from the data.
        answer: takes the result and the event's data; returns the private answer. The export
            of the events describes a `Reply`; of another function it knows nothing.
        fit: makes the `data` of an answer that is too large as small as a number of bytes. Takes
            it, the event's data, and the number. The operation does most of that beforehand.
        settle: takes the socket, the result and the event's data, before there is an answer;
            returns the result of which the answer is made. For what a socket keeps by itself.
    """

    name: str
    select: str = ""
    needs_data: bool = True
    arguments: Data = field(default_factory=dict)
    refine: Mapping[str, Callable[[Data], Any]] = field(default_factory=dict)
    answer: Callable[[Any, Data], Answer] = no_reply
    fit: Callable[[Any, Data, int], Any] = as_it_is
    settle: Callable[[Any, Any, Data], Any] = keep_nothing


@dataclass(frozen=True)
class Choice:
    """An event that asks for different operations, by one field of its data.

    Attributes:
        field: the field.
        options: the operation for each of its values.
    """

    field: str
    options: Mapping[str, Operation]
    needs_data: bool = True


Route = Operation | Choice


def operations_of(route: Route) -> Iterable[Operation]:
    """Return the operations that an event may ask for."""
    return route.options.values() if isinstance(route, Choice) else (route,)


@dataclass(slots=True, frozen=True)
class Dispatch:
    """How the payload of a subscription becomes a frame.

    Attributes:
        name: the frame's `eventType`.
        part: the field of the payload that is the frame's `data`; the whole payload if empty.
        unwraps: whether an item stands for a list of one.
        stored: whether the event has a sequence number in a stream.
    """

    name: str
    part: str = ""
    unwraps: bool = False
    stored: bool = True

    def data(self, payload: Any) -> Any:
        """Return the `data` of the frame that a payload becomes."""
        data = payload[self.part] if self.part else payload
        return data[0] if self.unwraps and len(data) == 1 else data


@dataclass(frozen=True)
class Events:
    """The events of one noun.

    Attributes:
        routes: what each event of a client asks for, by its `event_type`.
        dispatches: the frame that each event of the schema becomes, by the event's type.
    """

    routes: Mapping[str, Route] = field(default_factory=dict)
    dispatches: Mapping[str, Dispatch] = field(default_factory=dict)
