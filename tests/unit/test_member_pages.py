"""Pages of members, rooms and people: joined together they are the whole, each item once."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gql_chat import find_users, list_members
from gql_chat.errors import Invalid, NotFound, PermissionDenied
from gql_chat.models import Channel, GroupChat, Membership, OneToOneChat
from gql_chat.models.people import searched_columns
from gql_chat.operations import EventHandler
from tests.conftest import Users
from tests.unit.answers import ask
from tests.unit.test_cuts import make_people, usernames
from tests.unit.test_pending import steps
from tests.unit.test_settings import chat
from tests.wire.rooms import NOBODY

pytestmark = pytest.mark.django_db

few = settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def page_on(user: Any, room: Any, size: int, **wanted: Any) -> Iterator[list[str]]:
    """Page through the members of a room, as a client does; yield the usernames of each page."""
    cursor: dict[str, Any] = {}
    while True:
        paginate = {**cursor, "size": size}
        data = {"room_id": str(room.pk), "paginate": paginate, **wanted}
        page = ask(user, "room.members", data)
        assert page["size"] == size
        assert page["has_previous"] is bool(cursor)
        assert page["data"]["room_id"] == str(room.pk)
        shown = page["data"]["members"]
        assert len(shown) == size or not page["has_next"]
        yield [each["user"]["username"] for each in shown]
        if not page["has_next"]:
            return
        cursor = {"after": shown[-1]["user"]["id"]}


def whole(room: Any) -> list[str]:
    """The usernames of all members: leaders first, the others in the order of joining."""
    members = Membership.objects.filter(room_id=room.pk).select_related("user")
    ordered = sorted(members, key=lambda each: (each.role == "member", each.pk))
    return [membership.user.get_username() for membership in ordered]


@given(
    count=st.integers(0, 12), leaders=st.sets(st.integers(0, 11)), size=st.integers(1, 14),
    joins=st.lists(st.integers(0, 2), max_size=4),
)  # fmt: skip
@few
def test_pages_of_members_are_all_of_them_once_whoever_joins_meanwhile(
    count: int, leaders: set[int], size: int, joins: list[int], alice: Any
) -> None:
    group = GroupChat.objects.create(name="group", creator=alice)
    members = make_people(count)
    Membership.objects.add(group, [each.pk for each in members])
    group.admins.add(*[members[number] for number in leaders if number < count])
    before = whole(group)

    found: list[str] = []
    for shown in page_on(alice, group, size):
        found += shown
        if joins:
            Membership.objects.add(group, [each.pk for each in make_people(joins.pop())])

    assert len(set(found)) == len(found)
    assert found[: len(before)] == before
    assert found == whole(group)[: len(found)]
    assert [name for shown in page_on(alice, group, size) for name in shown] == whole(group)


def test_the_first_page_continues_what_a_frame_shows(alice: Any) -> None:
    group = GroupChat.objects.create(name="group", creator=alice)
    members = make_people(6)
    Membership.objects.add(group, [each.pk for each in members])
    group.admins.add(members[4])
    with chat(MAX_MEMBERS_SHOWN=3):
        shown = ask(alice, "room.info", {"room_id": str(group.pk)})["participants"]
        paginate = {"after": shown[-1]["id"], "size": 100}
        rest = ask(alice, "room.members", {"room_id": str(group.pk), "paginate": paginate})

    names = [each["username"] for each in shown]
    names += [each["user"]["username"] for each in rest["data"]["members"]]
    assert names == whole(group)
    assert rest["data"]["member_count"] == 7


named = pytest.mark.skipif(
    "last_name" not in {field.name for field in get_user_model()._meta.fields},
    reason="users have no other names",
)


@named
def test_members_are_found_by_names_and_roles(alice: Any, users: Users) -> None:
    ann, anna, bert = users.make("ann", "anna", "bert")
    ann.last_name = "Meyer_%"
    ann.save()
    channel = Channel.objects.create(name="channel", creator=alice)
    channel.subscribers.add(ann, anna, bert)
    channel.moderators.add(bert)

    def find(**wanted: Any) -> list[str]:
        return [name for shown in page_on(alice, channel, 1, **wanted) for name in shown]

    assert find(query="ANN") == usernames([ann, anna])
    assert find(query="  ann   meyer ") == usernames([ann])
    assert find(query="meyer_%") == usernames([ann])
    assert find(query="%") == find(query="nn") == []
    assert find(role="moderator") == usernames([alice, bert])
    assert find(role="member", query="a") == usernames([ann, anna])
    assert find(role="admin") == []


@named
def test_what_frames_do_not_show_is_not_searched(alice: Any, users: Users) -> None:
    ann = users("ann", first_name="Secret", email="hidden@example.com")
    group = GroupChat.objects.create(name="group", creator=alice)
    group.participants.add(ann)

    def find(query: str) -> int:
        return len(list_members(group, by=alice, query=query).members)

    assert (find("secret"), find("hidden")) == (1, 0)
    with chat(USER_FIELDS=["id", "username"]):
        assert (find("secret"), find("ann")) == (0, 1)


def test_whoever_asks_for_members_wrongly_is_told_what_is_wrong(
    alice: Any, bob: Any, carol: Any, group: GroupChat
) -> None:
    handler = EventHandler(alice.pk)
    for wanted, where in (
        ({"size": 0}, "paginate.size"),
        ({"query": " "}, "query"),
        ({"query": "x" * 101}, "query"),
        ({"query": "a\0"}, "query"),
        ({"query": "a b c d e f g h i"}, "query"),
        ({"role": "boss"}, "role"),
        ({"after": "nobody"}, "paginate.after"),
    ):
        with pytest.raises(Invalid) as caught:
            handler.room_members(group.pk, **wanted)
        assert list(caught.value.detail) == [where]
    for stranger in (carol.pk, NOBODY):
        with pytest.raises(NotFound):
            handler.room_members(group.pk, after=stranger, size=2)
    with pytest.raises(PermissionDenied):
        EventHandler(carol.pk).room_members(group.pk)


def test_a_page_of_members_ends_where_an_answer_would_be_too_large(alice: Any) -> None:
    group = GroupChat.objects.create(name="group", creator=alice)
    Membership.objects.add(group, [each.pk for each in make_people(50)])
    with chat(MAX_ANSWER_BYTES=6000):
        page = list_members(group, by=alice)

    assert page.has_next
    assert 10 < len(page.members) < 20
    assert page.member_count == 51


# People


def test_people_are_found_who_share_a_room(alice: Any, users: Users) -> None:
    mate, also, gone, stranger = users.make("findmate", "findalso", "findgone", "findstranger")
    group = GroupChat.objects.create(name="group", creator=alice)
    group.participants.add(mate, gone)
    OneToOneChat.objects.start(alice, also)
    GroupChat.objects.create(name="other", creator=stranger).participants.add(mate)
    gone.is_active = False
    gone.save()

    def find(query: str, by: Any = alice, **more: Any) -> list[str]:
        return usernames(find_users(query, by=by, **more).users)

    assert find("find") == usernames([also, mate])
    assert find("find", by=mate) == usernames([stranger])
    assert find("find", by=stranger) == usernames([mate])
    assert find(alice.get_username()) == []  # oneself
    assert find("find", as_system=True) == usernames([also, mate, stranger])
    with chat(FIND_ALL_USERS=True):
        assert find("find") == usernames([also, mate, stranger])
        assert find("findm") == usernames([mate])


def test_nobody_is_found_who_may_not_be_contacted(alice: Any, users: Users) -> None:
    mate, other = users.make("findmate", "findother")
    group = GroupChat.objects.create(name="group", creator=alice)
    group.participants.add(mate, other)
    path = "tests.unit.test_member_pages.Choosy"
    with chat(PERMISSION_HANDLER_CLASS=path):
        assert usernames(find_users("find", by=alice).users) == usernames([other])


def _choosy() -> Any:
    from gql_chat.permissions import PermissionHandler

    class Choosy(PermissionHandler):
        """Lets nobody contact mates."""

        def can_contact(self, user: Any, others: Any) -> Any:
            column = get_user_model().USERNAME_FIELD
            return others.exclude(**{f"{column}__startswith": "findmate"})

    return Choosy


Choosy = _choosy()


@given(count=st.integers(0, 9), size=st.integers(1, 10))
@few
def test_pages_of_people_are_all_of_them_once(count: int, size: int, alice: Any) -> None:
    group = GroupChat.objects.create(name="group", creator=alice)
    Membership.objects.filter(user=alice).exclude(room_id=group.pk).delete()
    members = make_people(count)
    Membership.objects.add(group, [each.pk for each in members])
    found: list[Any] = []
    cursor: dict[str, Any] = {}
    with chat(FIND_RATE_LIMIT=None):
        while True:
            data = {"query": "p", "paginate": {**cursor, "size": size}}
            data["query"] = members[0].get_username()[:2] if members else "no"
            wanted = [m for m in members if m.get_username().startswith(data["query"])]
            page = ask(alice, "user.find", data)
            found += page["data"]["users"]
            if not page["has_next"]:
                break
            cursor = {"after": found[-1]["id"]}

    assert [each["username"] for each in found] == sorted(usernames(wanted) if members else [])


def test_looking_for_people_is_refused_where_it_is_wrong(alice: Any, bob: Any, carol: Any) -> None:
    GroupChat.objects.create(name="group", creator=alice).participants.add(bob)
    handler = EventHandler(alice.pk)
    for query in ("", "a", " a ", "x" * 101):
        with pytest.raises(Invalid):
            handler.search_users(query)
    for cursor in (carol.pk, NOBODY):
        # Where somebody stands who may not be found would tell of their name.
        with pytest.raises(NotFound):
            handler.search_users("bo", after=cursor)
    assert usernames(handler.search_users("bo").users) == [bob.get_username()]


# How they are read


def plan_of(work: Any) -> list[str]:
    """The steps of all statements of some work that read."""
    with CaptureQueriesContext(connection) as captured:
        work()
    texts = [each["sql"] for each in captured.captured_queries if each["sql"].startswith("SELECT")]
    return [step for text in texts for step, _ in steps(text)]


def test_no_page_reads_a_whole_table(alice: Any) -> None:
    """However many users and rooms there are; on PostgreSQL whole tables are forbidden here."""
    group = GroupChat.objects.create(name="group", creator=alice)
    members = make_people(30)
    Membership.objects.add(group, [each.pk for each in members])
    for number in range(20):
        other = GroupChat.objects.create(name=f"other {number}", creator=members[number])
        Membership.objects.add(other, [each.pk for each in make_people(20)])
    handler = EventHandler(alice.pk)
    handler.room_members(group.pk)

    for work in (
        lambda: handler.room_members(group.pk, size=5),
        lambda: handler.room_members(group.pk, after=members[3].pk, size=5),
        lambda: handler.room_members(group.pk, query="p1", role="member", size=5),
        lambda: handler.room_info(group.pk),
        lambda: handler.search_users("p1"),
        lambda: handler.list_room_page(size=5, filters={"query": "gro", "unread": False}),
    ):
        plan = plan_of(work)
        users = get_user_model()._meta.db_table
        whole = [s for s in plan if s in (f"Seq Scan {users}", "Seq Scan gql_chat_membership")]
        whole += [s for s in plan if s.startswith((f"SCAN {users}", "SCAN gql_chat_membership"))]
        assert whole == [], plan


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite compares by itself")
def test_all_users_are_searched_by_the_documented_indexes(alice: Any) -> None:
    users = get_user_model()._meta.db_table
    make_people(3000)
    with connection.cursor() as cursor:
        for column in searched_columns():
            cursor.execute(
                f"CREATE INDEX find_{column} ON {users} (UPPER({column}) text_pattern_ops)"
            )
    with chat(FIND_ALL_USERS=True):
        plan = plan_of(lambda: find_users("p12", by=alice))

    assert any("find_" in step for step in plan), plan
    assert f"Seq Scan {users}" not in plan
