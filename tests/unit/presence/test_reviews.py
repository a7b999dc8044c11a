"""Reviews: whom those who watch may still see, for many at once."""

from typing import Any

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from gql_chat import permissions
from gql_chat.models import GroupChat
from gql_chat.presence import Request, Seen, review
from tests.conftest import Users

pytestmark = pytest.mark.django_db


class Shy(permissions.PermissionHandler):
    """Lets nobody see who has a name that begins with a c."""

    def can_see_presence(self, user: Any, others: Any) -> Any:
        """Leave some out."""
        names = {f"{user.USERNAME_FIELD}__startswith": "c"}
        return super().can_see_presence(user, others).exclude(**names)


def key(user: Any) -> str:
    """The id of a user, as hubs have it."""
    return str(user.pk)


def test_who_shares_a_room_is_seen_and_nobody_else(
    alice: Any, bob: Any, carol: Any, group: GroupChat
) -> None:
    everybody = [key(user) for user in (alice, bob, carol)]
    room = str(group.pk)

    found = review(
        [
            Request(key(alice), everybody, [room]),
            Request(key(bob), [key(carol)]),
            Request(key(carol), everybody, [room]),
        ]
    )

    assert found == [
        Seen({key(alice), key(bob)}, {room: {key(alice), key(bob)}}),
        Seen(set(), {}),
        Seen({key(carol)}, {}),
    ]
    group.participants.add(carol)
    (seen,) = review([Request(key(carol), everybody, [room])])
    assert seen == Seen(set(everybody), {room: set(everybody)})
    gone = group.pk
    group.delete()
    assert review([Request(key(bob), everybody, [str(gone)])]) == [Seen({key(bob)}, {})]


def test_a_project_has_a_rule_of_its_own(
    alice: Any, bob: Any, carol: Any, group: GroupChat
) -> None:
    group.participants.add(carol)
    room = str(group.pk)
    request = Request(key(alice), [key(bob), key(carol)], [room])

    with override_settings(REALTIME_CHAT_MESSAGING={"PERMISSION_HANDLER_CLASS": Shy}):
        (seen,) = review([request])

    assert seen == Seen({key(bob)}, {room: {key(alice), key(bob)}})


def test_two_statements_review_any_number(alice: Any, group: GroupChat, users: Users) -> None:
    others = users.make(*["user"] * 10)
    group.participants.add(*others)
    requests = [
        Request(key(user), [key(other) for other in others], [str(group.pk)]) for user in others
    ]
    for some in (requests[:1], requests):
        with CaptureQueriesContext(connection) as asked:
            found = review(some)
        assert len(asked) == 2
        assert all(len(seen.users) == 10 for seen in found)
    with CaptureQueriesContext(connection) as asked:
        assert review([]) == []
    assert len(asked) == 0
