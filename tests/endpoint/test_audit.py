"""The audit log: what is told of an operation, and what is not."""

from typing import Any
from uuid import UUID

import pytest
from graphql import GraphQLSchema

from gql_chat.endpoint.audit import describe, note
from gql_chat.endpoint.schema import get_schema
from gql_chat.schema import Context

ROOM = "025ccff8-6a95-4bd0-924f-881ef14fb0dd"
SECRET = "the launch is at dawn"
SEND = "mutation ($input: SendMessageInput!) { send_message(input: $input) { seq } }"


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    """The schema of the endpoint."""
    return get_schema()._schema


def told(schema: GraphQLSchema, query: str, name: str | None = None, **variables: Any) -> str:
    text, _ = describe(schema, query, variables, name)
    assert text.isprintable()
    return text


def test_the_fields_and_their_arguments_are_told(schema: GraphQLSchema) -> None:
    query = """query Look($room: UUID!, $size: Int = 2) {
        room(input: {room_id: $room}) { id type ... on GroupChat { name } }
        listed: room_records(first: $size, filters: {type: "GroupChat", member: 7}) { total_count }
    }"""

    assert told(schema, query, room=ROOM) == (
        f"query Look: room(input: {{room_id: '{ROOM}'}}) {{id type name}}; "
        "room_records(first: 2, filters: {type: 'GroupChat', member: 7}) {total_count}"
    )
    assert describe(schema, query, {}, None)[1] == ["room", "room_records"]


def test_no_comment_stands_in_the_place_of_what_is_done(schema: GraphQLSchema) -> None:
    padding = "# query { rooms { id } }\n" * 400
    query = padding + f'mutation {{\n{padding}leave_room(input: {{room_id: "{ROOM}"}})}}'

    assert told(schema, query) == f"mutation: leave_room(input: {{room_id: '{ROOM}'}})"


def test_no_field_hides_behind_others(schema: GraphQLSchema) -> None:
    many = " ".join(f"a{n}: rooms {{ x{'y' * 90}{n} {' id' * 50} }}" for n in range(13))
    query = f'query {{ {many} room(input: {{room_id: "{ROOM}"}}) {{ id }} }}'

    text = told(schema, query)
    assert text.endswith(f"; room(input: {{room_id: '{ROOM}'}}) {{id}}")
    assert describe(schema, query, {}, None)[1] == ["rooms"] * 13 + ["room"]


def test_what_is_selected_inside_has_a_bound(schema: GraphQLSchema) -> None:
    wide = " ".join(f"f{n}" for n in range(500))

    text = told(schema, f"{{ rooms {{ {wide} }} positions {{ seq }} }}")
    assert "f199" in text
    assert "f200" not in text
    assert text.endswith("…}; positions {seq}")
    deep = "{ rooms " + "{ a " * 40 + "{ b }" + " }" * 40 + " }"
    assert told(schema, deep).count("a") == 11


def test_fragments_that_spread_each_other_take_no_time(schema: GraphQLSchema) -> None:
    fragments = " ".join(
        f"fragment f{n} on Query {{ rooms {{ a {{ ...f{n + 1} ...f{n + 1} }} }} "
        f"positions {{ b {{ ...f{n + 1} }} }} }}"
        for n in range(40)
    )
    text = told(schema, f"query {{ ...f0 ...f0 ...missing }} {fragments}")

    assert text.startswith("query: rooms {a {rooms")
    circle = "query { ...a } fragment a on Query { ...b } fragment b on Query { ...a rooms { id } }"
    assert told(schema, circle) == "query: rooms {id}"


@pytest.mark.parametrize("written", ["variables", "literals"])
def test_what_people_write_is_told_by_its_length_alone(written: str, schema: GraphQLSchema) -> None:
    media = {"media_url": SECRET, "media_type": SECRET, "caption": SECRET, "metadata": {SECRET: 1}}
    fields = {"media": [media], "parent_message_id": ROOM, SECRET: SECRET}
    input = {"room_id": ROOM, "content": SECRET, "client_id": SECRET, "extra_fields": fields}
    if written == "variables":
        text = told(schema, SEND, input=input)
    else:
        known = (
            f'room_id: "{ROOM}", content: "{SECRET}", client_id: "{SECRET}", extra_fields: '
            f'{{media: [{{media_url: "{SECRET}", media_type: "{SECRET}", caption: """{SECRET}""", '
            f'metadata: {{a: "{SECRET}"}}}}], parent_message_id: "{ROOM}", other: "{SECRET}"}}'
        )
        text = told(schema, f"mutation {{ send_message(input: {{{known}}}) {{ seq }} }}")

    length = f"<{len(SECRET)} characters>"
    assert text == (
        f"mutation: send_message(input: {{room_id: '{ROOM}', content: {length}, client_id: "
        f"{length}, extra_fields: {{media: [{{media_url: {length}, media_type: {length}, caption: "
        f"{length}, metadata: <object>}}], parent_message_id: '{ROOM}', 1 unknown fields}}}}) "
        "{seq}"
    )


@pytest.mark.parametrize(
    "query",
    [
        'mutation {{ edit_message(input: {{message_id: "{0}", extra_fields: {{a: "{0}"}}}}) }}',
        'mutation {{ add_reaction(input: {{message_id: "{0}", reaction_content: "{0}"}}) }}',
        'query {{ message_records(filters: {{text: "{0}", sender: "{0}", room: "{0}"}}) {{ a }} }}',
        'query {{ room_records(after: "{0}", filters: {{active_after: "{0}"}}) {{ a }} }}',
        'query {{ room(input: "{0}") {{ a }} }}',
        'query {{ nothing(token: "{0}", list: ["{0}"], object: {{a: "{0}"}}) {{ a(b: "{0}") }} }}',
        'mutation {{ join_room(input: {{room_id: {{a: "{0}"}}}}) }}',
        'query ($a: String = "{0}") {{ message_records(filters: {{text: $a}}) {{ a }} }}',
        'mutation {{ add_permissions(input: {{data: {{permission: [{{a: "{0}"}}]}}}}) }}',
    ],
)
def test_a_text_where_something_else_is_wanted_is_not_told(
    query: str, schema: GraphQLSchema
) -> None:
    assert "launch" not in told(schema, query.format(SECRET))


def test_names_are_told_cut_and_escaped(schema: GraphQLSchema) -> None:
    create = "mutation ($input: CreateRoomInput!) { create_room(input: $input) { id } }"
    name = "a\nUser 1 acts as user 2: \x1b[2J\u202e\u2028" + "x" * 5000

    text = told(schema, create, input={"type": "GroupChat", "name": name, "description": SECRET})
    assert "type: 'GroupChat', name: 'a\\nUser 1 acts as user 2: \\x1b[2J\\u202e\\u2028xxx" in text
    assert len(text) < 300
    long = "o" * 5000
    assert len(told(schema, f"query {long} {{ {long} }}")) < 300


def test_long_lists_and_numbers_are_cut(schema: GraphQLSchema) -> None:
    add = "mutation ($input: MembersInput!) { add_members(input: $input) }"

    text = told(schema, add, input={"room_id": ROOM, "members": list(range(500))})
    assert text.endswith("18, 19, … 480 more]})")
    number = "9" * 6000
    assert len(told(schema, f"{{ room_records(first: {number}) {{ a }} }}")) < 100


@pytest.mark.parametrize(
    ("query", "name", "text"),
    [
        ("", None, "a document that cannot be read"),
        ("{ rooms { id }", None, "a document that cannot be read"),
        ("{ a " * 900, None, "a document that cannot be read"),
        ("{ a } " * 900, None, "a document that cannot be read"),
        ("{ rooms { id } }", "Other", "a document without the operation that is asked for"),
        ("query A { a } query B { b }", None, "a document without the operation that is asked for"),
        ("fragment a on Room { id }", None, "a document without the operation that is asked for"),
        ("query A { a } query B { b }", "B", "query B: b"),
        ("{ rooms { id } }", "", "query: rooms {id}"),
    ],
)
def test_what_does_not_run_is_told_as_such(
    query: str, name: str | None, text: str, schema: GraphQLSchema
) -> None:
    assert told(schema, query, name) == text


@pytest.mark.parametrize(
    ("key", "text"),
    [(7, "7"), (UUID(ROOM), ROOM), ("a@b.example", "a@b.example"), ("a\nb c", "'a\\nb c'")],
)
def test_keys_of_any_kind_stand_on_one_line(
    key: Any, text: str, schema: GraphQLSchema, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "gql_chat.audit")

    note(Context(key, actor_id=key), schema, "{ rooms { id } }", None, None)
    (record,) = caplog.records
    assert record.getMessage() == f"User {text} acts as user {text}: query: rooms {{id}}"


def test_who_acts_for_themselves_is_not_told_of(
    schema: GraphQLSchema, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "gql_chat.audit")

    note(Context(1), schema, "{ rooms { id } }", None, None)
    assert caplog.records == []
    note(Context(1, actor_id=2), schema, "{ rooms { id } }", None, None)
    (record,) = caplog.records
    assert record.getMessage() == "User 2 acts as user 1: query: rooms {id}"
    found = {name: getattr(record, name) for name in ("actor_id", "user_id", "fields")}
    assert found == {"actor_id": "2", "user_id": "1", "fields": ["rooms"]}
