"""The endpoint over HTTP: who may use it, and that it does what the socket does."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser, Group, Permission
from django.test import Client as Browser
from django.test import override_settings
from django.urls import Resolver404, resolve

from event_bridge.routing import websocket_urlpatterns
from gql_chat.endpoint import schema
from gql_chat.models import Membership, Message
from gql_chat.permissions import PermissionHandler
from gql_chat.schema import get_schema
from tests.conftest import Connect, Orm, Users
from tests.endpoint.conftest import MakeGroup
from tests.endpoint.tools import PATH, SEND, Tool, code_of
from tests.wire.rooms import NOWHERE, group, people

ToolOf = Callable[[AbstractUser | None], Tool]

ROOMS = "{ rooms { id } }"


# Off until it is mounted


def test_no_url_and_no_route_leads_to_it_until_a_project_adds_them() -> None:
    with override_settings(ROOT_URLCONF="django.contrib.auth.urls"), pytest.raises(Resolver404):
        resolve(PATH)
    assert [str(route.pattern) for route in websocket_urlpatterns] == ["^messaging/$"]


# Who may use it


def test_staff_who_may_view_rooms_and_messages_may_use_it(tool: Tool) -> None:
    assert tool.ask(ROOMS) == {"rooms": []}


def test_superusers_may_use_it(tool_of: ToolOf, users: Users) -> None:
    assert tool_of(users("root", is_superuser=True)).ask("{ room_records { total_count } }")


def test_staff_alone_may_not_use_it(tool_of: ToolOf, users: Users, orm: Orm) -> None:
    staff = users("staff", is_staff=True)
    tool = tool_of(staff)
    assert tool.post(ROOMS)[0] == 403

    # What is granted counts at once, also through a group; one of two is not enough.
    (helpers,) = orm(Group.objects.bulk_create, [Group(name="helpers")])
    orm(staff.groups.add, helpers)
    for status, model in ((403, "message"), (200, "room")):
        (view,) = orm(list, Permission.objects.filter(codename=f"view_{model}"))
        orm(helpers.permissions.add, view)
        assert tool.post(ROOMS)[0] == status


def test_who_may_view_and_is_no_staff_may_not_use_it(
    tool_of: ToolOf, staff: AbstractUser, orm: Orm
) -> None:
    orm(type(staff)._default_manager.filter(pk=staff.pk).update, is_staff=False)

    assert tool_of(staff).post(ROOMS)[0] == 403


def test_where_the_project_lets_all_staff_in_they_read_what_is_theirs(
    tool_of: ToolOf, users: Users, make_group: MakeGroup, settings: Any
) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"GRAPHQL_ACCESS": "gql_chat.endpoint.access.is_staff"}
    member = users("member", is_staff=True)
    make_group(users("alice"))
    room = make_group(member)
    tool = tool_of(member)

    assert tool.ask(ROOMS) == {"rooms": [{"id": str(room.pk)}]}
    for records in ("room_records", "message_records", "event_records"):
        assert code_of(tool.post(f"{{ {records} {{ total_count }} }}")[1]) == 4002


def test_nobody_unknown_may_use_it(tool_of: ToolOf) -> None:
    status, body = tool_of(None).post(ROOMS)

    assert (status, body["data"], code_of(body)) == (401, None, 4001)


def test_others_may_not_use_it(tool_of: ToolOf, users: Users) -> None:
    status, body = tool_of(users("alice")).post(ROOMS)

    assert (status, body["data"], code_of(body)) == (403, None, 4002)


def allow_everybody(user: Any) -> bool:
    return True


def test_a_setting_says_who_may_use_it(tool_of: ToolOf, users: Users, settings: Any) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"GRAPHQL_ACCESS": allow_everybody}
    tool = tool_of(users("alice"))

    assert tool.ask(ROOMS) == {"rooms": []}
    status, body = tool.post("{ room_records { total_count } }")
    assert (status, code_of(body)) == (200, 4002)
    assert tool_of(None).post(ROOMS)[0] == 401


class Auditors(PermissionHandler):
    """Who may inspect in a project: everybody called auditor."""

    def can_inspect(self, user: Any) -> bool:
        """Tell by the name."""
        return bool(user.get_username().startswith("auditor"))


def test_the_permission_handler_says_who_may_look_at_records(
    tool: Tool, tool_of: ToolOf, users: Users, settings: Any
) -> None:
    settings.REALTIME_CHAT_MESSAGING = {
        "GRAPHQL_ACCESS": allow_everybody,
        "PERMISSION_HANDLER_CLASS": Auditors,
    }
    records = "{ room_records { total_count } }"

    assert code_of(tool.post(records)[1]) == 4002
    assert tool_of(users("auditor")).ask(records)


def test_rights_count_as_they_are_now(tool: Tool, staff: AbstractUser, orm: Orm) -> None:
    assert tool.post(ROOMS)[0] == 200

    orm(type(staff)._default_manager.filter(pk=staff.pk).update, is_staff=False)
    assert tool.post(ROOMS)[0] == 403

    orm(type(staff)._default_manager.filter(pk=staff.pk).update, is_active=False)
    assert tool.post(ROOMS)[0] == 401


# HTTP


def test_a_query_may_come_by_get(tool: Tool) -> None:
    assert tool.get(query=ROOMS) == (200, {"data": {"rooms": []}})


def test_a_mutation_may_not_come_by_get(
    tool: Tool, staff: AbstractUser, make_group: MakeGroup, orm: Orm
) -> None:
    room = make_group(staff)
    query = f'mutation {{ send_message(input: {{room_id: "{room.pk}", content: "x"}}) {{ seq }} }}'

    status, body = tool.get(query=query)

    assert status == 400
    assert "mutations are not allowed" in body
    assert not orm(Message.objects.filter(room=room).exists)


@pytest.mark.parametrize("headers", [{"X-CSRFToken": ""}, {"Origin": "https://evil.example"}])
def test_a_post_is_checked_against_forgery_as_django_does(
    headers: dict[str, str], tool: Tool, staff: AbstractUser, make_group: MakeGroup, orm: Orm
) -> None:
    room = make_group(staff)

    status, _ = tool.post(SEND, {"input": {"room_id": str(room.pk), "content": "x"}}, headers)

    assert status == 403
    assert not orm(Message.objects.filter(room=room).exists)


def test_a_subscription_needs_a_socket(tool: Tool) -> None:
    query = f'subscription {{ room_events(room_id: "{NOWHERE}") {{ seq }} }}'

    status, body = tool.post(query)

    assert (status, body) == (400, "subscriptions are not allowed when using POST")


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "[]",
        "5",
        "null",
        '{"query": 5}',
        '{"query": "{ rooms { id } }", "variables": []}',
        '{"query": "{ rooms { id } }", "operationName": 5}',
        '{"query": "\\ud800"}',
        "[{}]",
        "{}",
        '{"query": ""}',
        '{"query": "{ rooms { id } }", "operationName": "Other"}',
        '{"query": "fragment a on Room { id }"}',
        b"\xff",
    ],
)
def test_a_body_that_is_no_request_is_refused(body: str | bytes, tool: Tool) -> None:
    status, _ = tool.request("POST", PATH, body)

    assert status == 400


def test_what_is_said_of_an_unknown_operation_shows_the_start_of_its_name(tool: Tool) -> None:
    unknown = "x" * 5000

    for status, said in (
        tool.post("{ rooms { id } }", operationName=unknown),
        tool.get(query="{ rooms { id } }", operationName=unknown),
    ):
        assert status == 400
        assert said.startswith('Unknown operation named "x')
        assert len(said) <= 200


def test_other_methods_and_types_are_refused(tool: Tool) -> None:
    assert tool.request("PUT", PATH, "{}")[0] == 405
    assert tool.request("POST", PATH, "query=x", {"Content-Type": "text/plain"})[0] == 400


def test_browsers_get_graphiql_where_debug_is_on(
    tool: Tool, tool_of: ToolOf, users: Users, settings: Any
) -> None:
    html = {"Accept": "text/html"}
    assert tool.get(html)[0] == 404

    settings.DEBUG = True

    status, page = tool.get(html)
    assert (status, "GraphiQL" in page) == (200, True)
    assert tool_of(users("alice")).get(html)[0] == 403


def test_graphiql_is_given_the_token_that_its_requests_need(
    staff: AbstractUser, orm: Orm, settings: Any
) -> None:
    settings.DEBUG = True
    browser = Browser()
    orm(browser.force_login, staff)

    orm(browser.get, PATH, headers={"Accept": "text/html"})

    assert "csrftoken" in browser.cookies


def test_it_works_under_wsgi_too(staff: AbstractUser, orm: Orm) -> None:
    browser = Browser()
    orm(browser.force_login, staff)

    # Django's test client calls the view as a WSGI server does: from synchronous code.
    response = orm(browser.get, PATH, {"query": ROOMS})

    assert (response.status_code, response.json()) == (200, {"data": {"rooms": []}})


def test_a_projects_transaction_around_views_stands_in_no_way(tool: Tool) -> None:
    found: Any = resolve(PATH).func

    assert found._non_atomic_requests == {"default"}
    assert tool.ask(ROOMS)


# The same operations, permissions and errors as on the socket


def test_the_endpoint_has_the_types_and_operations_of_the_socket() -> None:
    assert schema.get_schema().as_str() == get_schema().as_str()


async def test_what_a_tool_does_reaches_the_sockets(
    connect: Connect, users: Users, tool_of: ToolOf
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    tool = tool_of(alice.user)
    with override_settings(REALTIME_CHAT_MESSAGING={"GRAPHQL_ACCESS": allow_everybody}):
        sent = tool.ask(SEND, {"input": {"room_id": room["id"], "content": "<b>Hi</b><script>"}})

    for person in (alice, bob):
        message = await person.expect("message.dispatch")
        assert message["id"] == sent["send_message"]["message_id"]
        assert message["content"] == "<b>Hi</b>"
        assert message["sender"]["id"] == alice.id


def test_each_field_of_a_mutation_is_an_event_of_its_own(
    tool: Tool, staff: AbstractUser, make_group: MakeGroup, orm: Orm
) -> None:
    room = make_group(staff)
    query = """mutation ($good: SendMessageInput!, $bad: SendMessageInput!) {
        good: send_message(input: $good) { seq }
        bad: send_message(input: $bad) { seq }
    }"""
    here, nowhere = ({"room_id": str(id), "content": "x"} for id in (room.pk, NOWHERE))

    _, body = tool.post(query, {"good": here, "bad": nowhere})

    # Each field is an event, so a transaction, of its own.
    assert (code_of(body), body["errors"][0]["path"]) == (4004, ["bad"])
    assert orm(Message.objects.filter(room=room).count) == 1


@pytest.mark.parametrize(
    ("input", "code", "detail"),
    [
        ({"room_id": NOWHERE, "content": "x"}, 4004, "There is no such room."),
        ({"room_id": "theirs", "content": "x"}, 4002, "You are not a member of this room."),
        ({"room_id": "mine", "content": ""}, 4003, {"content": None}),
        ({"room_id": "no uuid"}, 4003, None),
        ({"content": "x"}, 4003, None),
        ({"room_id": "mine", "content": "\0"}, 4003, None),
        ({"room_id": "mine", "extra_fields": {"sender": 1}}, 4003, None),
    ],
    ids=str,
)
def test_errors_carry_the_codes_of_the_socket(
    input: dict[str, Any],
    code: int,
    detail: Any,
    tool: Tool,
    staff: AbstractUser,
    users: Users,
    make_group: MakeGroup,
    orm: Orm,
) -> None:
    rooms = {"mine": make_group(staff), "theirs": make_group(users("alice"))}
    if input.get("room_id") in rooms:
        input = {**input, "room_id": str(rooms[input["room_id"]].pk)}

    _, body = tool.post(SEND, {"input": input})

    assert body["data"] is None
    assert code_of(body) == code
    found = body["errors"][0]["extensions"]["detail"]
    if isinstance(detail, dict):
        assert found.keys() == detail.keys()
    elif detail is not None:
        assert found == detail
    assert not orm(Message.objects.filter(room__in=rooms.values()).exists)


@pytest.mark.parametrize("name", ["open_session", "heartbeat", "close_session"])
def test_the_sessions_of_sockets_are_not_for_clients(name: str, tool: Tool) -> None:
    fields = "{ id }" if name == "open_session" else ""
    _, body = tool.post(f'mutation {{ {name}(input: {{channel_name: "x"}}) {fields} }}')

    assert (body["data"], code_of(body)) == (None, 4003)


# Acting as somebody else


@pytest.fixture
def may_act(staff: AbstractUser, orm: Orm) -> None:
    permission = Permission.objects.filter(codename="act_as", content_type__model="membership")
    orm(lambda: staff.user_permissions.add(permission.get()))


def act_as(user: Any) -> dict[str, str]:
    return {"X-Chat-Act-As": str(getattr(user, "pk", user))}


def test_staff_act_as_themselves_unless_they_may_act_as_others(
    tool: Tool, users: Users, make_group: MakeGroup, orm: Orm
) -> None:
    alice = users("alice")
    room = make_group(alice)
    wanted = {"input": {"room_id": str(room.pk), "content": "x"}}

    assert code_of(tool.post(SEND, wanted)[1]) == 4002
    status, body = tool.post(SEND, wanted, act_as(alice))

    assert (status, code_of(body)) == (403, 4002)
    assert not orm(Message.objects.filter(room=room).exists)


def test_who_may_act_as_others_does_what_they_may_and_it_is_written_down(
    tool: Tool,
    staff: AbstractUser,
    may_act: None,
    users: Users,
    make_group: MakeGroup,
    orm: Orm,
    caplog: pytest.LogCaptureFixture,
) -> None:
    alice = users("alice")
    room = make_group(alice)
    caplog.set_level("INFO", "gql_chat.audit")

    wanted = {"input": {"room_id": str(room.pk), "content": "secret"}}
    tool.ask(SEND, wanted, headers=act_as(alice))

    assert orm(Message.objects.get, room=room).sender_id == alice.pk
    (record,) = caplog.records
    assert record.getMessage() == (
        f"User {staff.pk} acts as user {alice.pk}: mutation Send: send_message"
        f"(input: {{room_id: '{room.pk}', content: <6 characters>}}) {{message_id stream seq}}"
    )
    # What alice may not do, nobody may as alice.
    _, body = tool.post("{ room_records { total_count } }", headers=act_as(alice))
    assert code_of(body) == 4002


@pytest.mark.parametrize(
    ("other", "status", "code"), [("x", 400, 4003), (2**70, 400, 4004), ("0", 400, 4004)]
)
def test_nobody_acts_as_a_user_there_is_not(
    other: Any, status: int, code: int, tool: Tool, may_act: None
) -> None:
    found, body = tool.post(ROOMS, headers=act_as(other))

    assert (found, code_of(body)) == (status, code)


def test_only_a_superuser_acts_as_a_superuser(
    tool: Tool, may_act: None, users: Users, tool_of: ToolOf
) -> None:
    root = users("root", is_superuser=True, is_staff=True)

    assert code_of(tool.post(ROOMS, headers=act_as(root))[1]) == 4002
    other = users("root", is_superuser=True, is_staff=True)
    assert tool_of(other).post(ROOMS, headers=act_as(root))[0] == 200


def test_nobody_acts_as_a_user_whose_account_is_not_active(
    tool: Tool, may_act: None, users: Users
) -> None:
    _, body = tool.post(ROOMS, headers=act_as(users("alice", is_active=False)))

    assert body["data"] is None
    assert code_of(body) == 4004


def test_the_permission_is_there_to_be_given(orm: Orm) -> None:
    name = f"{Membership._meta.app_label}.act_as"
    assert name == "gql_chat.act_as"
    assert orm(Permission.objects.filter(codename="act_as").count) == 1
