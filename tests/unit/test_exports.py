"""The contracts that the commands export: from the schema and the bridge's tables, whole."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import strawberry
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import override_settings
from graphql import build_client_schema, build_schema, lexicographic_sort_schema, print_schema

from event_bridge import operations, spec
from event_bridge.events import DISPATCHES
from event_bridge.operations import EVERYTHING, Operation, Reply
from gql_chat import errors
from gql_chat.events import Event
from gql_chat.operations import EventHandler
from gql_chat.schema import types
from gql_chat.schema.json_schema import Shapes, keywords, nullable, object_of

COMMANDS = [
    ("export_chat_schema", "sdl"),
    ("export_chat_schema", "json"),
    ("export_chat_events", "asyncapi"),
    ("export_chat_events", "json-schema"),
]


def chat(**values: Any) -> override_settings:
    return override_settings(REALTIME_CHAT_MESSAGING=values)


def export(command: str, format: str, **options: Any) -> str:
    output = StringIO()
    call_command(command, format=format, stdout=output, **options)
    return output.getvalue()


@cache
def definitions() -> dict[str, Any]:
    """The definitions of the package's own contract."""
    return spec.contract().definitions


# The commands


@pytest.mark.parametrize(("command", "format"), COMMANDS)
def test_a_file_that_was_just_written_is_up_to_date(
    command: str, format: str, tmp_path: Path
) -> None:
    file = tmp_path / "export"
    export(command, format, output=str(file))

    assert file.read_text() == export(command, format)
    assert "is up to date" in export(command, format, check=str(file))


@pytest.mark.parametrize(("command", "format"), COMMANDS)
def test_a_file_that_is_out_of_date_is_named_with_the_remedy(
    command: str, format: str, tmp_path: Path
) -> None:
    file = tmp_path / "export"
    file.write_text(export(command, format) + " ")

    with pytest.raises(CommandError) as caught:
        export(command, format, check=str(file))

    remedy = f"manage.py {command} --format {format} --output {file}"
    assert str(caught.value) == f"{file} is out of date. Run: {remedy}"
    assert file.read_text() == export(command, format) + " "


@pytest.mark.parametrize("content", [None, b"\xff"])
def test_a_file_that_cannot_be_read_is_named(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "export"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(CommandError, match=f"{file} cannot be read"):
        export("export_chat_schema", "sdl", check=str(file))


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=f"{tmp_path} cannot be written"):
        export("export_chat_schema", "sdl", output=str(tmp_path))


def test_a_stale_file_ends_the_command_with_status_1(tmp_path: Path) -> None:
    file = tmp_path / "chat.graphql"
    file.write_text("")
    ended = subprocess.run(
        [sys.executable, "-m", "django", "export_chat_schema", "--check", str(file)],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.site.settings"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 1
    assert f"{file} is out of date" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_exports_of_two_processes_are_equal() -> None:
    script = (
        "import django; django.setup(); from django.core.management import call_command\n"
        f"for command, format in {COMMANDS}: call_command(command, format=format)"
    )
    both = [
        subprocess.run(
            [sys.executable, "-c", script],
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "tests.site.settings",
                "PYTHONHASHSEED": seed,
            },
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]

    assert both[0] == both[1]
    assert len(both[0]) > 100_000


# The schema


def test_both_forms_of_the_schema_say_the_same() -> None:
    sdl = build_schema(export("export_chat_schema", "sdl"))
    introspection = build_client_schema(json.loads(export("export_chat_schema", "json")))

    assert print_schema(introspection) == print_schema(lexicographic_sort_schema(sdl))


@strawberry.type(name="User")
class Person(types.User):
    """Somebody with a nickname."""

    nickname: str = strawberry.field(
        resolver=lambda root: "", metadata=keywords(maxLength=lambda: 8)
    )


def test_a_projects_own_types_are_in_the_exports() -> None:
    with chat(SERIALIZERS={"User": Person}):
        assert "nickname: String!" in export("export_chat_schema", "sdl")
        found = spec.contract().definitions["User"]

    assert found["description"] == "Somebody with a nickname."
    assert found["properties"]["nickname"] == {"type": "string", "maxLength": 8}
    assert "nickname" in found["required"]


@pytest.mark.parametrize(
    ("kind", "description"),
    [
        ("type Message", "What a member wrote in a room, and what others did with it."),
        ("input SendMessageInput", "A message to write."),
        ("send_message", "Write a message into a room."),
    ],
)
def test_docstrings_are_descriptions(kind: str, description: str) -> None:
    sdl = export("export_chat_schema", "sdl").splitlines()

    (line,) = [
        place
        for place, text in enumerate(sdl)
        if text.strip().startswith(f"{kind}") and not text.strip().startswith(f"{kind}s")
    ][:1]
    assert sdl[line - 1].strip() == f'"""{description}"""'


# Shapes

LIBRARY = build_schema("""
    scalar Shelfmark
    enum Kind { NOVEL POEM }
    "Something to read."
    type Book { id: ID! kind: Kind! mark: Shelfmark sequel: Book }
    type Map { id: ID! scale: Float! }
    union Item = Book | Map
    input Search { ids: [ID!] kinds: [Kind!]! deep: Search }
    type Query { item: Item! find(search: Search!): [Book!]! }
""")
ID = {"anyOf": [{"type": "string"}, {"type": "integer"}]}
KIND = {"type": "string", "enum": ["NOVEL", "POEM"]}


def library(name: str) -> Any:
    found: Any = LIBRARY.type_map[name]
    return found


def test_a_whole_type_is_a_definition_and_a_part_of_one_is_not() -> None:
    shapes = Shapes(LIBRARY)

    whole = shapes.of_result(library("Book"), "{ id kind mark sequel { id } }")
    part = shapes.of_result(library("Book"), "{ kind }")

    assert whole == nullable({"$ref": "#/definitions/Book"})
    assert shapes.definitions["Book"]["description"] == "Something to read."
    assert shapes.definitions["Book"]["properties"]["mark"] == nullable(
        {"description": "Shelfmark"}
    )
    assert shapes.definitions["Book"]["properties"]["sequel"] == nullable(
        object_of({"id": ID}, description="Something to read.")
    )
    assert part == nullable(object_of({"kind": KIND}, description="Something to read."))


def test_a_union_of_which_only_parts_are_selected_is_no_definition() -> None:
    shapes = Shapes(LIBRARY)

    found = shapes.of_result(
        library("Query").fields["item"].type, "{ ... on Book { id } ... on Map { id scale } }"
    )

    assert found == {
        "anyOf": [
            object_of({"id": ID}, description="Something to read."),
            {"$ref": "#/definitions/Map"},
        ]
    }
    assert shapes.definitions.keys() == {"Map"}


def test_an_input_may_name_itself_and_lists_in_which_an_item_may_stand_bare() -> None:
    shapes = Shapes(LIBRARY, frozenset({"ids"}))

    found = shapes.of_input(library("Search"), leave=frozenset({"kinds"}))

    ids = nullable({"anyOf": [ID, {"type": "array", "items": ID}]})
    kinds = {"type": "array", "items": KIND}
    deep = nullable({"$ref": "#/definitions/Search"})
    assert found == object_of({"ids": ids, "deep": deep}, required=[])
    assert shapes.definitions == {
        "Search": object_of({"ids": ids, "kinds": kinds, "deep": deep}, required=["kinds"])
    }


# The events


def objects(shape: Any) -> Iterator[dict[str, Any]]:
    """All schemas of objects with properties inside a schema."""
    if isinstance(shape, dict):
        if "properties" in shape and isinstance(shape["properties"], dict):
            yield shape
        for inner in shape.values():
            yield from objects(inner)
    elif isinstance(shape, list):
        for inner in shape:
            yield from objects(inner)


def tags(union: str, tag: str) -> set[str]:
    found = definitions()
    names = [shape["$ref"].rpartition("/")[2] for shape in found[union]["oneOf"]]
    return {found[name]["properties"][tag]["const"] for name in names}


def test_every_event_that_clients_may_send_is_there() -> None:
    own = {"session.heartbeat", "session.resume"}
    assert tags("ClientEvent", "event_type") == set(operations.map_events()) | own


def test_every_event_that_clients_may_receive_is_there() -> None:
    dispatches = {dispatch.name for dispatch in DISPATCHES.values()}
    asked = (
        *("roomlist", "roominfo", "roommessages", "roommembers", "notificationlist", "userfind"),
        *("unreadlist", "roompins", "savedlist", "mentionlist"),
    )
    answers = {f"{name}.dispatch" for name in asked}
    own = {"chat.notifications", "session.resumed"}
    assert tags("ServerEvent", "eventType") == dispatches | answers | own


def test_no_object_has_other_keys_than_those_named() -> None:
    found = list(objects(definitions()))
    assert len(found) > 80
    assert [shape for shape in found if shape.get("additionalProperties") is not False] == []


def test_a_message_id_is_an_id_or_a_list_and_other_lists_are_lists() -> None:
    found = definitions()
    uuid = {"type": "string", "format": "uuid"}
    read = found["MessageReadEvent"]["properties"]["data"]
    members = found["RoomAddMembersEvent"]["properties"]["data"]["properties"]["members"]

    assert read["properties"] == {
        "message_id": {"anyOf": [uuid, {"type": "array", "items": uuid, "maxItems": 500}]}
    }
    assert members["type"] == "array"
    assert members["maxItems"] == 500
    assert members["items"] == {"anyOf": [{"type": "integer"}, {"type": "string"}]}


def test_an_event_with_actions_is_a_union_told_apart_by_the_action() -> None:
    found = definitions()
    options = found["RoomModifyEvent"]["properties"]["data"]["oneOf"]
    shapes = [found[option["$ref"].rpartition("/")[2]] for option in options]

    routes = operations.map_events()["room.modify"]
    assert isinstance(routes, operations.Choice)
    assert [shape["properties"]["action"]["const"] for shape in shapes] == list(routes.options)
    assert all("action" in shape["required"] for shape in shapes)


def test_what_has_a_place_in_a_stream_may_carry_it() -> None:
    found = definitions()
    placed = {name for name, shape in found.items() if "seq" in shape.get("dependencies", {})}

    assert "MessageDispatch" in placed
    assert "RoomcreateDispatch" in placed
    assert placed.isdisjoint({"MessagetypingDispatch", "RoomlistDispatch", "ChatNotifications"})


def test_a_type_within_itself_shows_its_id_only() -> None:
    quoted = definitions()["QuotedMessage"]["properties"]

    assert quoted["parent_message"]["type"] == "null"
    assert quoted["sender"] == {"$ref": "#/definitions/User"}


def test_errors_of_the_project_are_among_the_codes() -> None:
    class Closed(errors.ChatError):
        """The shop is closed."""

        code = 4321

    problem = spec.contract().definitions["Problem"]

    assert Closed.code in problem["properties"]["code"]["enum"]
    assert "4321: The shop is closed." in problem["description"]


def own_events() -> dict[str, operations.Route]:
    positions = Operation(
        "positions", select=EVERYTHING, needs_data=False, answer=Reply("positions.dispatch")
    )
    plain = Operation(
        "positions",
        select="{ stream }",
        answer=lambda result, data: ("streams.dispatch", result),
    )
    return {**operations.map_events(), "room.positions": positions, "room.streams": plain}


def test_events_of_the_projects_mapper_are_in_the_export() -> None:
    warnings = StringIO()
    with chat(EVENT_MAPPER=own_events):
        found = json.loads(export("export_chat_events", "json-schema", stderr=warnings))
        document = json.loads(export("export_chat_events", "asyncapi"))

    answer = found["definitions"]["PositionsDispatch"]["properties"]
    assert answer["eventType"] == {"const": "positions.dispatch"}
    assert answer["data"] == {"type": "array", "items": {"$ref": "#/definitions/Position"}}
    replies = document["operations"]["room.positions"]["reply"]["messages"]
    assert {"$ref": "#/channels/messaging/messages/positions.dispatch"} in replies
    # What a function answers cannot be told from outside.
    assert "room.streams" in warnings.getvalue()
    assert "room.positions" not in warnings.getvalue()
    assert "RoomStreamsEvent" in found["definitions"]


@strawberry.type
class RoomPainted(Event):
    """Somebody painted the room."""

    colour: str


class Painters(EventHandler):
    """Operations with an event of their own."""

    events = (RoomPainted,)


def test_events_of_the_projects_operations_are_in_the_export() -> None:
    with chat(EVENT_HANDLER_CLASS=Painters):
        found = spec.contract().definitions

    painted = found["RoompaintedDispatch"]
    assert painted["description"] == "Somebody painted the room."
    assert painted["properties"]["data"] == {"$ref": "#/definitions/RoomPainted"}
    assert {"$ref": "#/definitions/RoompaintedDispatch"} in found["ServerEvent"]["oneOf"]
    assert "colour" in found["RoomPainted"]["required"]


def test_two_different_things_of_one_name_are_an_error() -> None:
    def map_events() -> Any:
        taken = Operation("room", select="{ id }", answer=Reply("message"))
        return {**operations.map_events(), "room.taken": taken}

    with chat(EVENT_MAPPER=map_events), pytest.raises(CommandError, match=r"two .* of Message"):
        export("export_chat_events", "json-schema")


# AsyncAPI


def test_the_socket_is_where_the_settings_say() -> None:
    with chat(WEBSOCKET_PATH="/talk/"):
        document = json.loads(export("export_chat_events", "asyncapi"))

    assert document["channels"]["messaging"]["address"] == "/talk/"


def test_every_event_is_a_message_and_every_reference_leads_somewhere() -> None:
    document = json.loads(export("export_chat_events", "asyncapi"))
    found = spec.contract()
    received = [
        operation
        for operation in document["operations"].values()
        if operation["action"] == "receive"
    ]

    assert len(received) == len(found.sent)
    assert {*found.sent, *found.received} <= document["channels"]["messaging"]["messages"].keys()
    for reference in references(document):
        place: Any = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from references(inner)
