"""What is blank in the fields of a message or a room: it fits the schema, also a project's own."""

from enum import Enum
from uuid import UUID

import strawberry
from django.test import override_settings

from gql_chat.schema import types
from gql_chat.schema.blanks import find_blanks
from gql_chat.schema.scalars import JSONObject, Timestamp


@strawberry.enum
class Colour(Enum):
    """A colour."""

    RED = "red"


@strawberry.type
class Place:
    """Where something was written."""

    name: str
    height: int
    is_known: bool
    tags: list[str]
    note: str | None


@strawberry.type
class Moment:
    """When something was written."""

    at: Timestamp


@strawberry.type
class OwnMessage(types.Message):
    """A message with everything that a project may add."""

    subject: str
    note: str | None
    tags: list[str]
    form: JSONObject
    anything: strawberry.scalars.JSON
    place: Place
    moment: Moment
    count: int
    is_urgent: bool
    colour: Colour
    ticket: UUID
    expires_at: Timestamp


OWN = f"{__name__}.OwnMessage"


def test_everything_that_somebody_wrote_is_blank() -> None:
    message = find_blanks()["Message"]

    assert message == {
        "content": "",
        "mentions": {"users": [], "room": False, "here": False},
        "forwarded_from": None,
        "parent_message": None,
        "delivered_to": [],
        "read_receipts": [],
        "reactions": [],
        "attachments": [],
    }
    assert find_blanks()["QuotedMessage"] == message


def test_a_projects_fields_are_blank_as_far_as_they_are_text() -> None:
    with override_settings(REALTIME_CHAT_MESSAGING={"SERIALIZERS": {"Message": OWN}}):
        message = find_blanks()["Message"]
        quote = find_blanks()["QuotedMessage"]

    own = {name: value for name, value in message.items() if name not in quote}
    assert own == {
        "subject": "",
        "note": None,
        "tags": [],
        "form": {},
        "anything": None,
        "place": {"name": "", "height": 0, "is_known": False, "tags": [], "note": None},
    }


def test_of_a_blank_room_is_left_what_it_was() -> None:
    assert find_blanks()["OneToOneChat"] == {
        "property": {"preferences": {}},
        "read_markers": [],
        "participants": [],
    }
    for kind, members, leaders in (
        ("GroupChat", "participants", "admins"),
        ("Channel", "subscribers", "moderators"),
    ):
        assert find_blanks()[kind] == {
            "name": "",
            "description": None,
            "avatar": None,
            "creator": None,
            "property": {"preferences": {}},
            "read_markers": [],
            members: [],
            leaders: [],
        }
