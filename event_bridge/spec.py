"""The event protocol as JSON Schema (draft 7) and as AsyncAPI 3.

Both are written from the schema of the operations and from the tables that the socket runs on:
`map_events`, `DISPATCHES` and the error classes. Only the few frames that no operation stands
behind are described here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import GraphQLNonNull, GraphQLObjectType, GraphQLUnionType, get_named_type

from gql_chat.conf import chat_settings
from gql_chat.errors import ChatError
from gql_chat.nouns import has_feature
from gql_chat.schema import get_graphql_schema, select_all
from gql_chat.schema.json_schema import JsonSchema, Shapes, any_of, nullable, object_of

from . import protocol
from .declarations import Choice, Reply, no_reply
from .events import find_dispatch
from .operations import BARE_LISTS, Prepared, Table, events
from .resume import EPOCH_LENGTH

CLIENT_EVENT = "ClientEvent"
SERVER_EVENT = "ServerEvent"
SERVER_FRAME = "ServerFrame"
SUCCESS = "Success"
ERROR = "ErrorFrame"
UNKNOWN_EVENT = "UnknownEvent"

ACTIVE: JsonSchema = {
    "type": "boolean",
    "description": "Whether somebody sits there. Left out, it stays as it was.",
}
_TEXT: JsonSchema = {"type": "string"}
_SEQ: JsonSchema = {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}


@dataclass
class Sent:
    """An event that clients send.

    Attributes:
        data: the schema of its data.
        needs_data: whether it has to carry data.
        description: what it asks for.
        answers: the `eventType`s of its private answers.
        confirmed: whether a status may be its answer.
    """

    data: JsonSchema
    needs_data: bool = True
    description: str = ""
    answers: tuple[str, ...] = ()
    confirmed: bool = True


@dataclass
class Received:
    """An event that clients receive.

    Attributes:
        data: the schemas that its data may have.
        descriptions: what it says.
        answers: whether it may be a private answer, which carries the `request_id`.
        stored: whether it may have a sequence number in a stream.
    """

    data: list[JsonSchema] = field(default_factory=list)
    descriptions: list[str] = field(default_factory=list)
    answers: bool = False
    stored: bool = False


class Contract:
    """All frames, in both directions.

    Args:
        table: the events that clients may send, with their operations.

    Attributes:
        sent: what clients send, by `event_type`.
        received: what clients receive, by `eventType`.
        undescribed: events whose private answer is made by a function that is no `Reply`.
        definitions: the JSON Schema of every frame, and of what they have in common, by name.

    Raises:
        ValueError: two things that differ have one name.
    """

    def __init__(self, table: Table) -> None:
        self.sent: dict[str, Sent] = {}
        self.received: dict[str, Received] = {}
        self.undescribed: list[str] = []
        self._table = table
        self._schema = get_graphql_schema()
        self._shapes = Shapes(self._schema, BARE_LISTS)
        self._describe_dispatches()
        for name, route in table.routes.items():
            self.sent[name] = (
                self._choice(name, route)
                if isinstance(route, Choice)
                else self._operation(name, table.prepared(route))
            )
        self._describe_socket()
        self._define_frames()
        self.definitions = dict(sorted(self._shapes.definitions.items()))

    # What clients send

    def _operation(self, name: str, prepared: Prepared) -> Sent:
        operation = prepared.operation
        data = object_of({})
        if prepared.input is not None:
            data = self._shapes.of_input(prepared.input, frozenset(operation.refine))
        description = prepared.field.description or ""
        sent = Sent(data, operation.needs_data, description)
        reply = operation.answer
        if isinstance(reply, Reply):
            self._describe_reply(reply, prepared)
            sent.answers = (reply.event_type,)
            sent.confirmed = bool(reply.part)
        elif reply is not no_reply:
            self.undescribed.append(name)
        return sent

    def _choice(self, name: str, choice: Choice) -> Sent:
        """Return an event that asks for one of several operations, told apart by a field."""
        options = {
            value: self._operation(name, self._table.prepared(operation))
            for value, operation in choice.options.items()
        }
        shapes = []
        for value, option in options.items():
            shape = object_of(
                {choice.field: {"const": value}, **option.data["properties"]},
                required=[choice.field, *option.data.get("required", ())],
                description=option.description,
            )
            shapes.append(self._shapes.define(f"{_pascal(name)}{_pascal(value)}", shape))
        return Sent(
            data={"oneOf": shapes},
            description="\n".join(f"{value}: {one.description}" for value, one in options.items()),
            answers=tuple(dict.fromkeys(one for each in options.values() for one in each.answers)),
            confirmed=any(option.confirmed for option in options.values()),
        )

    # What clients receive

    def _received(self, name: str, description: str) -> Received:
        received = self.received.setdefault(name, Received())
        if description and description not in received.descriptions:
            received.descriptions.append(description)
        return received

    def _describe_reply(self, reply: Reply, prepared: Prepared) -> None:
        found = prepared.field.type
        kind = get_named_type(found)
        if reply.forms:
            assert isinstance(kind, GraphQLObjectType)
            fields = self._shapes.fields_of(kind, prepared.selection)
            shapes = [
                object_of({name: fields[name] for name in form}, description=kind.description or "")
                for form in reply.forms
            ]
        else:
            shapes = [self._shapes.of_result(found, prepared.selection, reply.part)]
        if reply.unpaged:
            shape = shapes[0]
            for name in reply.unpaged:
                shape = self._shapes.of_property(shape, name)
            shapes.append(shape)
        if reply.event_type in self.received:
            received = self.received[reply.event_type]
        else:
            received = self._received(reply.event_type, prepared.field.description or "")
        received.answers = True
        received.data += shapes

    def _describe_dispatches(self) -> None:
        union = self._schema.type_map["ChatEvent"]
        assert isinstance(union, GraphQLUnionType)
        for kind in union.types:
            dispatch = find_dispatch(kind.name)
            received = self._received(dispatch.name, kind.description or "")
            received.stored = received.stored or dispatch.stored
            selection = select_all(self._schema, kind.name)
            shape = self._shapes.of_result(GraphQLNonNull(kind), selection, dispatch.part)
            if dispatch.unwraps:
                received.data.append(shape["items"])
            received.data.append(shape)

    def _describe_socket(self) -> None:
        """Describe the frames that the socket itself takes and sends."""
        data = object_of({})
        if has_feature("presence"):
            data = object_of({"active": ACTIVE}, required=[])
        self.sent["session.heartbeat"] = Sent(
            data, needs_data=False, description="Tell the server that the client is there."
        )
        streams = {"type": "object", "additionalProperties": _SEQ}
        epoch: JsonSchema = {
            "type": "string",
            "maxLength": EPOCH_LENGTH,
            "description": "The history of the database that the sequence numbers belong to.",
        }
        self.sent["session.resume"] = Sent(
            object_of({"streams": streams, "epoch": epoch}, required=["streams"]),
            description="Ask for what was stored after the last sequence number of each stream.",
            answers=("session.resumed",),
            confirmed=False,
        )
        recovered = object_of(
            {"seq": _SEQ, "recovered": {"type": "boolean"}},
            description="Where the stream stands, and whether all that was missed was replayed.",
        )
        gone = object_of(
            {"gone": {"const": True}}, description="The user no longer has this stream."
        )
        states = [self._shapes.define("StreamPosition", recovered)]
        states.append(self._shapes.define("StreamGone", gone))
        resumed = self._received("session.resumed", "The replay is done.")
        answer: JsonSchema = {"type": "object", "additionalProperties": any_of(states)}
        resumed.data = [object_of({"streams": answer, "epoch": epoch})]
        resumed.answers = True
        kind = self._schema.type_map["RoomNotifications"]
        assert isinstance(kind, GraphQLObjectType)
        fields = self._shapes.fields_of(kind, select_all(self._schema, kind.name))
        greeting = self._received("chat.notifications", "What waits for the user, by room.")
        greeting.data = [{"type": "object", "additionalProperties": fields["notifications"]}]

    # Frames

    def _define_frames(self) -> None:
        define = self._shapes.define
        request_id = define(
            "RequestId",
            {
                "description": "The client's own name for a frame; it comes back in the answer.",
                "anyOf": [
                    {"type": "string", "maxLength": protocol.REQUEST_ID_LENGTH},
                    {"type": "integer"},
                ],
            },
        )
        sent = [
            define(
                sent_definition(name),
                object_of(
                    {
                        "event_type": {"const": name},
                        "data": event.data,
                        "request_id": nullable(request_id),
                    },
                    required=["event_type", "data"] if event.needs_data else ["event_type"],
                    description=event.description,
                ),
            )
            for name, event in self.sent.items()
        ]
        received = [
            define(received_definition(name), _received_frame(name, event, request_id))
            for name, event in self.received.items()
        ]
        define(CLIENT_EVENT, _one_of("What a client sends.", sent))
        server_event = define(
            SERVER_EVENT, _one_of("What happened, or what was asked for.", received)
        )
        others = [
            define(
                SUCCESS,
                _answer(
                    protocol.SUCCESS, request_id, "Done. It confirms what has no other answer."
                ),
            ),
            define(ERROR, self._error(request_id)),
            define(
                UNKNOWN_EVENT,
                _answer(protocol.UNKNOWN_EVENT, request_id, "There is no event of that name."),
            ),
        ]
        define(SERVER_FRAME, _one_of("What a client receives.", [server_event, *others]))

    def _error(self, request_id: JsonSchema) -> JsonSchema:
        define = self._shapes.define
        kinds = sorted(_error_kinds(), key=lambda kind: kind.code)
        detail = {"anyOf": [_TEXT, {"type": "array"}, {"type": "object"}]}
        retry = object_of({"message": _TEXT, "retry_after": {"type": "number", "minimum": 0}})
        problems = [
            define(
                "Problem",
                _problem(
                    "What was wrong with a frame; `detail` is for people and logs.",
                    [kind for kind in kinds if not kind.is_passing],
                    detail,
                ),
            ),
            define(
                "PassingProblem",
                _problem(
                    "The same may succeed after `retry_after` seconds.",
                    [kind for kind in kinds if kind.is_passing],
                    retry,
                ),
            ),
        ]
        return object_of(
            {"error": {"oneOf": problems}, "request_id": request_id},
            required=["error"],
            description="A frame was refused: nothing of it was stored or sent.",
        )


def _error_kinds() -> Iterable[type[ChatError]]:
    """Return the error classes, the project's own among them: the most general of each code."""
    # A project's handler brings the errors that it raises.
    chat_settings.load("EXCEPTION_HANDLER_CLASS")
    kinds: dict[int, type[ChatError]] = {}
    found = ChatError.__subclasses__()
    for kind in found:
        found += kind.__subclasses__()
        kinds.setdefault(kind.code, kind)
    return kinds.values()


def _problem(description: str, kinds: list[type[ChatError]], detail: JsonSchema) -> JsonSchema:
    meanings = [f"{kind.code}: {(kind.__doc__ or kind.__name__).splitlines()[0]}" for kind in kinds]
    return object_of(
        {"code": {"type": "integer", "enum": [kind.code for kind in kinds]}, "detail": detail},
        description="\n".join([description, *meanings]),
    )


def _answer(content: Mapping[str, Any], request_id: JsonSchema, description: str) -> JsonSchema:
    """Return the schema of an answer that is always the same, but for its `request_id`."""
    return object_of(
        {**{name: {"const": value} for name, value in content.items()}, "request_id": request_id},
        required=list(content),
        description=description,
    )


def _one_of(description: str, shapes: list[JsonSchema]) -> JsonSchema:
    return {"description": description, "oneOf": shapes}


def _received_frame(name: str, event: Received, request_id: JsonSchema) -> JsonSchema:
    properties = {"eventType": {"const": name}, "data": any_of(event.data)}
    if event.answers:
        properties["request_id"] = request_id
    if event.stored:
        properties["stream"] = {**_TEXT, "description": "`room:<room id>` or `user:<user id>`."}
        properties["seq"] = {
            "type": "integer",
            "minimum": 1,
            "description": "Its sequence number there.",
        }
    shape = object_of(
        properties, required=["eventType", "data"], description=" ".join(event.descriptions)
    )
    return (
        {**shape, "dependencies": {"stream": ["seq"], "seq": ["stream"]}} if event.stored else shape
    )


def _pascal(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.replace("_", ".").split("."))


def sent_definition(name: str) -> str:
    """Return the name of the definition of an event that clients send: `MessageSendEvent`."""
    return f"{_pascal(name)}Event"


def received_definition(name: str) -> str:
    """Return the name of the definition of an event that clients receive: `MessageDispatch`."""
    return _pascal(name)


# The documents


def json_schema(contract: Contract) -> JsonSchema:
    """Return the JSON Schema of all frames, in both directions."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Frame",
        "description": "A frame of the chat socket, from a client or from the server.",
        "oneOf": [{"$ref": f"#/definitions/{name}"} for name in (CLIENT_EVENT, SERVER_FRAME)],
        "definitions": contract.definitions,
    }


def asyncapi(contract: Contract) -> dict[str, Any]:
    """Return the AsyncAPI document of the socket, as the server sees it: it receives and sends."""
    messages = {
        **{name: _message(name, sent_definition(name)) for name in contract.sent},
        **{name: _message(name, received_definition(name)) for name in contract.received},
        **{name: _message(name, name) for name in (SUCCESS, ERROR, UNKNOWN_EVENT)},
    }
    operations = {
        name: {
            "action": "receive",
            "channel": {"$ref": "#/channels/messaging"},
            "summary": event.description,
            "messages": [_in_channel(name)],
            "reply": {
                "channel": {"$ref": "#/channels/messaging"},
                "messages": [
                    _in_channel(answer)
                    for answer in (*event.answers, *([SUCCESS] if event.confirmed else []), ERROR)
                ],
            },
        }
        for name, event in contract.sent.items()
    }
    private = {answer for event in contract.sent.values() for answer in event.answers}
    pushed = [
        name for name, event in contract.received.items() if event.stored or name not in private
    ]
    operations["dispatch"] = {
        "action": "send",
        "channel": {"$ref": "#/channels/messaging"},
        "summary": "Tell a client what happens, and what waits for it.",
        "messages": [_in_channel(name) for name in pushed],
    }
    path = "/" + chat_settings.WEBSOCKET_PATH.lstrip("/")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Chat",
            "version": protocol.VERSION,
            "description": "The event protocol of the chat socket.",
        },
        "defaultContentType": "application/json",
        "channels": {
            "messaging": {
                "address": path,
                "title": "The socket",
                "description": "One WebSocket for everything. Text frames, one JSON object each.",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
            }
        },
        "operations": operations,
        "components": {
            "messages": messages,
            "schemas": _moved(contract.definitions),
        },
    }


def _message(name: str, definition: str) -> dict[str, Any]:
    return {"name": name, "payload": {"$ref": f"#/components/schemas/{definition}"}}


def _in_channel(name: str) -> dict[str, str]:
    return {"$ref": f"#/channels/messaging/messages/{name}"}


def _moved(value: Any) -> Any:
    """Return definitions that refer to each other where AsyncAPI keeps them."""
    if isinstance(value, dict):
        return {
            key: inner.replace("#/definitions/", "#/components/schemas/")
            if key == "$ref"
            else _moved(inner)
            for key, inner in value.items()
        }
    return [_moved(inner) for inner in value] if isinstance(value, list) else value


def contract() -> Contract:
    """Return the contract of the project's events."""
    return Contract(events())
