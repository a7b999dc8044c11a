"""The schema, its scalars, and the documents that are prepared for it."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import pytest
import strawberry
from django.test import override_settings
from graphql import (
    GraphQLError,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    is_introspection_type,
    parse,
    validate,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from gql_chat import events
from gql_chat.errors import Invalid, NotAuthenticated, NotFound
from gql_chat.models import GroupChat, Message, StreamEvent
from gql_chat.schema import Context, Document, get_graphql_schema, get_schema, select_all
from gql_chat.schema.rendering import prepare, render_event
from gql_chat.schema.scalars import SCALARS, Bytes, JSONObject, Timestamp, UserID
from gql_chat.schema.types import User


def is_object(found: Any) -> bool:
    return isinstance(found, GraphQLObjectType) and not is_introspection_type(found)


# Selections

LIBRARY = build_schema("""
    interface Item { id: ID! }
    union Any = Book | Shelf
    scalar Date
    enum Kind { A B }
    type Author { id: ID! name: String! books: [Book!]! }
    type Book implements Item { id: ID! kind: Kind published: Date author: Author! sequel: Book }
    type Shelf implements Item { id: ID! books(first: Int, after: ID = "x"): [Book!]!
                                 book(id: ID!): Book }
    type Query { any: Any item: Item }
""")


@pytest.mark.parametrize(
    ("name", "selection"),
    [
        ("Date", ""),
        ("Kind", ""),
        ("String", ""),
        ("Author", "{ id name books { id kind published author { id } sequel { id } } }"),
        (
            "Book",
            "{ id kind published author { id name books { id } } sequel { id } }",
        ),
    ],
)
def test_all_of_a_type_is_selected_and_of_itself_the_id(name: str, selection: str) -> None:
    assert select_all(LIBRARY, name) == selection


def test_fields_that_need_an_argument_are_left_out() -> None:
    selection = select_all(LIBRARY, "Shelf")
    assert selection.startswith("{ id books {")
    assert "book(" not in selection
    assert "book {" not in selection


@pytest.mark.parametrize(("field", "abstract"), [("any", "Any"), ("item", "Item")])
def test_an_abstract_type_is_selected_as_each_of_its_types(field: str, abstract: str) -> None:
    selection = select_all(LIBRARY, abstract)

    assert "... on Book { id" in selection
    assert "... on Shelf { id" in selection
    assert validate(LIBRARY, parse(f"{{ {field} {selection} }}")) == []


def test_every_type_of_the_schema_can_be_selected_whole() -> None:
    schema = get_graphql_schema()
    for name, found in schema.type_map.items():
        # A subscription is asked for one kind of event at a time: their fields would conflict.
        if is_object(found) and name not in ("Subscription", "StreamFrame"):
            text = f"fragment all on {name} {select_all(schema, name)} query {{ __typename ...q }}"
            problems = validate(schema, parse(text + " fragment q on Query { ...all }"))
            messages = [problem.message for problem in problems]
            # That a Query is none of these objects is all there is to say against it.
            assert all("can never be of type" in message for message in messages), messages


# Scalars


def read(scalar: Any, value: Any) -> Any:
    return SCALARS[scalar].parse_value(value)


def write(scalar: Any, value: Any) -> Any:
    return SCALARS[scalar].serialize(value)


@pytest.mark.parametrize(
    ("value", "written"),
    [(2, 2), ("alice", "alice"), (UUID(int=1), str(UUID(int=1))), (2**70, 2**70)],
)
def test_a_user_id_is_written_as_json_has_it(value: Any, written: Any) -> None:
    assert write(UserID, value) == written


@pytest.mark.parametrize("value", [2, "2", "alice", "", -1, 2**70])
def test_a_user_id_is_read_as_number_or_string(value: Any) -> None:
    assert read(UserID, value) == value


@pytest.mark.parametrize(
    ("scalar", "values"),
    [
        (UserID, [True, None, 1.5, [], {}]),
        (Bytes, [-1, 2**63, True, 1.5, "1", None]),
        (JSONObject, [[], "x", None, 1, True]),
        (JSONObject, [{"n": 2**63}, {"n": [-(2**63)]}, {"n": {"m": float("inf")}}]),
        (Timestamp, ["", "yesterday", 1, None, "2024-13-01"]),
    ],
)
def test_other_values_are_refused(scalar: Any, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(ValueError, match=r"\w"):
            read(scalar, value)


@pytest.mark.parametrize("value", [0, 1, 2**31, 2**63 - 1])
def test_a_size_may_be_larger_than_graphqls_numbers(value: int) -> None:
    assert read(Bytes, value) == write(Bytes, value) == value


def nested(levels: int) -> Any:
    value: Any = {}
    for _ in range(levels - 1):
        value = {"a": value} if isinstance(value, list) else [value]
    return value if isinstance(value, dict) else {"a": value}


def test_an_object_may_be_deep_but_not_without_end() -> None:
    assert read(JSONObject, nested(7)) == nested(7)
    with pytest.raises(ValueError, match="levels"):
        read(JSONObject, nested(9))


@given(
    value=st.dictionaries(
        st.text(),
        st.recursive(
            st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=8,
        ),
    )
)
@settings(deadline=None)
def test_an_object_is_kept_as_it_is(value: dict[str, Any]) -> None:
    assert write(JSONObject, read(JSONObject, value)) == value


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2024, 1, 2, 3, 4, 5, 6, tzinfo=UTC), "2024-01-02T03:04:05.000006Z"),
        (datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC), "2024-01-02T03:04:05.000000Z"),
        (
            datetime(2024, 1, 2, 3, tzinfo=timezone(timedelta(hours=2))),
            "2024-01-02T01:00:00.000000Z",
        ),
    ],
)
def test_a_time_is_written_in_utc_with_a_z(moment: datetime, text: str) -> None:
    assert write(Timestamp, moment) == text
    assert read(Timestamp, text) == moment


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_is_written_with_its_microseconds_always(moment: datetime) -> None:
    text = moment.replace(tzinfo=None).isoformat(timespec="microseconds")
    assert write(Timestamp, moment) == f"{text}Z"


def test_a_time_without_a_zone_is_read_as_utc() -> None:
    assert read(Timestamp, "2024-01-02T03:04:05") == datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert read(Timestamp, "2024-01-02T03:04:05+01:00") == datetime(2024, 1, 2, 2, 4, 5, tzinfo=UTC)


# Prepared documents


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    """The schema as graphql-core knows it."""
    return get_graphql_schema()


@pytest.mark.parametrize("text", ["{", "query { no_such_field }", "{ rooms }", ""])
def test_a_document_that_does_not_fit_is_refused_when_it_is_made(
    schema: GraphQLSchema, text: str
) -> None:
    with pytest.raises(GraphQLError):
        Document(schema, text)


SEND = "mutation($input: SendMessageInput!) { send_message(input: $input) { seq } }"
HERE = "6f3a1c52-8a0e-4b7d-9c41-2e5d7f90a1b3"


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        (None, ["data"]),
        ("text", ["data"]),
        ({}, ["room_id"]),
        ({"room_id": None}, ["room_id"]),
        ({"room_id": "no uuid"}, ["room_id"]),
        ({"room_id": 5}, ["room_id"]),
        ({"room_id": HERE, "content": 5}, ["content"]),
        ({"room_id": HERE, "content": []}, ["content"]),
        ({"room_id": HERE, "content": {"a": 1}}, ["content"]),
        ({"room_id": HERE, "extra_fields": "x"}, ["extra_fields"]),
        ({"room_id": HERE, "extra_fields": {"sender": 1}}, ["extra_fields.sender"]),
        (
            {"room_id": HERE, "extra_fields": {"media": [{}]}},
            [f"extra_fields.media.0.{name}" for name in ("media_url", "media_type", "mime_type")],
        ),
        (
            {"room_id": 5, "client_id": 5},
            ["room_id", "client_id"],
        ),
    ],
    ids=str,
)
def test_wrong_variables_are_named_by_field(
    schema: GraphQLSchema, given: Any, fields: list[str]
) -> None:
    with pytest.raises(Invalid) as caught:
        Document(schema, SEND).execute({"input": given}, context=Context(0))

    assert isinstance(caught.value.detail, dict)
    assert sorted(caught.value.detail) == sorted(fields)
    for message in caught.value.detail.values():
        assert isinstance(message, str)


def test_what_a_resolver_raises_comes_as_it_was(schema: GraphQLSchema, alice: Any) -> None:
    given = {"input": {"room_id": HERE}}
    with pytest.raises(NotFound):
        Document(schema, SEND).execute(given, context=Context(alice.pk))
    records = Document(get_schema()._schema, "{ room_records { total_count } }")
    with pytest.raises(NotAuthenticated):
        records.execute(context=Context(0))


def test_a_document_executes_again_and_again(
    schema: GraphQLSchema, group: GroupChat, alice: Any
) -> None:
    document = Document(schema, SEND)
    given = {"input": {"room_id": str(group.pk), "content": "hello"}}

    results = [document.execute(given, context=Context(alice.pk)) for _ in range(3)]

    assert [result["send_message"]["seq"] for result in results] == [1, 2, 3]


def test_several_mutations_of_one_document_are_one_transaction(
    schema: GraphQLSchema, group: GroupChat, alice: Any
) -> None:
    document = Document(
        schema,
        "mutation($good: SendMessageInput!, $bad: SendMessageInput!) "
        "{ one: send_message(input: $good) { seq } other: send_message(input: $bad) { seq } }",
    )
    good, bad = ({"room_id": str(room), "content": "x"} for room in (group.pk, uuid4()))

    with pytest.raises(NotFound):
        document.perform({"good": good, "bad": bad}, context=Context(alice.pk))

    assert not Message.objects.exists()
    assert not StreamEvent.objects.exists()


# Rendering


def test_every_event_has_a_document() -> None:
    prepare()


def test_an_event_is_rendered_whole(message: Message) -> None:
    rendered = render_event(events.MessageReacted("add", message))

    assert rendered.keys() == {"status", "type", "message"}
    assert rendered["message"]["id"] == str(message.pk)
    assert rendered["message"]["room"] == {"id": str(message.room_id)}
    assert rendered["message"]["sender"]["username"] == message.sender.username


def test_a_chain_of_replies_does_not_grow_the_frame(message: Message, alice: Any) -> None:
    chain = message
    for number in range(5):
        chain = Message.objects.create(
            room=message.room, sender=alice, content=f"{number}", parent_message=chain
        )

    rendered = render_event(events.MessageSent(chain))["message"]

    assert rendered["parent_message"]["content"] == "3"
    assert rendered["parent_message"]["parent_message"] is None
    assert rendered["parent_message"]["forwarded_from"] is None
    assert rendered["parent_message"].keys() == rendered.keys()


@strawberry.type(name="User")
class Person(User):
    """A project's own user."""

    @strawberry.field
    def greeting(self) -> str:
        """What a project adds."""
        return "hi"


def test_a_projects_own_type_is_rendered_wherever_the_object_stands(message: Message) -> None:
    own = {"SERIALIZERS": {"User": Person}}
    with override_settings(REALTIME_CHAT_MESSAGING=own):
        rendered = render_event(events.MessageSent(message))
        assert rendered["message"]["sender"]["greeting"] == "hi"

    rendered = render_event(events.MessageSent(message))
    assert "greeting" not in rendered["message"]["sender"]


# The SDL


def test_the_schema_names_its_scalars() -> None:
    sdl = get_schema().as_str()

    assert "scalar JSON\n" not in sdl
    assert ": JSON\n" not in sdl
    assert ": JSON!" not in sdl
    assert "  preferences: JSONObject!" in sdl
    assert "  metadata: JSONObject!" in sdl
    for scalar in ("UserID", "Timestamp", "Bytes", "JSONObject"):
        assert f"scalar {scalar}\n" in sdl


def test_the_schema_writes_names_as_the_wire_does() -> None:
    schema = get_graphql_schema()
    for name, found in schema.type_map.items():
        if is_object(found):
            assert all(field == field.lower() for field in found.fields), name


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("User", "id username email first_name last_name"),
        (
            "Message",
            "id room sender content is_deleted is_edited is_forwarded forwarded_from "
            "parent_message delivered_to read_receipts reactions attachments "
            "created_at updated_at",
        ),
        ("Attachment", "id media_url media_type file_size mime_type caption metadata"),
        ("ReadReceipt", "reader read_at"),
        ("Reaction", "id user reaction_content created_at"),
        ("OneToOneChat", "type id created_at updated_at property participants"),
        (
            "GroupChat",
            "type id created_at updated_at property name description avatar creator "
            "participants admins max_participants join_approval_required group_locked",
        ),
        (
            "Channel",
            "type id created_at updated_at property name description avatar creator "
            "subscribers moderators max_subscribers is_public",
        ),
        ("Notification", "id notification_type message"),
    ],
)
def test_objects_have_the_fields_of_the_protocol(name: str, fields: str) -> None:
    with override_settings(REALTIME_CHAT_MESSAGING={"FEATURES": ()}):
        found: Any = get_graphql_schema().type_map[name]
    assert set(found.fields) == set(fields.split())
