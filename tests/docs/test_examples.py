"""Every example of the documentation that needs no table of its own, on real sockets."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import SimpleQueue
from typing import Any

import pytest
from channels.routing import URLRouter
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.test import AsyncClient, RequestFactory, override_settings
from django.test import Client as Browser

from event_bridge.consumers import ChatConsumer
from event_bridge.operations import Operation, map_events
from event_bridge.routing import get_websocket_urlpatterns
from gql_chat import errors, operations
from gql_chat.events import MessageSent
from gql_chat.models import StreamEvent, get_model
from gql_chat.schema import get_schema
from gql_chat.signals import notification_created
from shop.badges import badge
from shop.exceptions import ShopClosed
from shop.payloads import make_payloads
from tests.conftest import Connect, Orm, Users
from tests.servers import HOST, ChatThread
from tests.site.asgi import BelieveQuery
from tests.timing import PATIENCE, wait_until
from tests.wire.rooms import (
    Person,
    another_socket,
    channel,
    everybody_gets,
    group,
    messages_of,
    nobody_gets_anything,
    people,
    say,
)

# Badges


async def test_a_badge_counts_what_waits_in_a_view_and_in_a_push_payload(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await group(alice, bob, carol)
    for text in ("Soup?", "Noodles?"):
        await say(alice, room, text, bob, carol)
    await carol.send("room.read", {"room_id": room["id"]})
    for person in (alice, bob, carol):
        await person.expect("roomread.dispatch")
    message = orm(get_model("Message").objects.filter(room_id=room["id"]).latest, "created_at")

    request = RequestFactory().get("/badge/")
    request.user = bob.user
    assert json.loads(orm(badge, request).content) == {"badge": 2, "mentions": 0}
    payloads = orm(make_payloads, [bob.user, carol.user], MessageSent(message))
    assert payloads == {
        user.pk: {"aps": {"alert": "Noodles?", "badge": number}}
        for user, number in ((bob.user, 2), (carol.user, 0))
    }


# Operations


async def test_moderation_refuses_new_and_edited_messages(
    connect: Connect, users: Users, chat_with: Callable[..., None]
) -> None:
    chat_with(EVENT_HANDLER_CLASS="shop.moderation.EventHandler")
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    message = await say(alice, room, "Soup?", bob)

    sent = {"room_id": room["id"], "content": "Buy NOW"}
    assert await alice.refused(4003, "message.send", sent) == {"content": "No advertising here."}
    edit = {"action": "update", "message_id": message["id"], "extra_fields": {"content": "buy now"}}
    await alice.refused(4003, "message.modify", edit)

    assert [found["content"] for found in await messages_of(bob, room)] == ["Soup?"]
    await nobody_gets_anything(alice, bob)


async def test_a_sanitiser_of_the_projects_own_cleans_new_and_edited_messages(
    connect: Connect, users: Users, chat_with: Callable[..., None]
) -> None:
    chat_with(EVENT_HANDLER_CLASS="shop.sanitizer.EventHandler")
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)

    message = await say(alice, room, "<b>x</b><code>y</code><script>z</script>", bob)
    assert message["content"] == "x<code>y</code>z"
    change = {"message_id": message["id"], "extra_fields": {"content": "<i>x</i><pre>y</pre>"}}
    await alice.send("message.modify", {"action": "update", **change})
    edited = await everybody_gets("messagemodification.dispatch", alice, bob)
    assert edited["message"]["content"] == "x<pre>y</pre>"


class _Webhook(BaseHTTPRequestHandler):
    told: SimpleQueue[Any] = SimpleQueue()

    def do_POST(self) -> None:
        self.told.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def webhook() -> Iterator[tuple[str, "SimpleQueue[Any]"]]:
    """Another service: its address, and what it was told."""
    server = HTTPServer((HOST, 0), _Webhook)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://{HOST}:{server.server_port}/", _Webhook.told
    server.shutdown()
    thread.join(PATIENCE)
    server.server_close()


async def test_a_webhook_is_told_of_what_was_committed_and_once(
    connect: Connect,
    users: Users,
    chat_with: Callable[..., None],
    webhook: tuple[str, "SimpleQueue[Any]"],
) -> None:
    url, told = webhook
    chat_with(EVENT_HANDLER_CLASS="shop.webhooks.EventHandler")
    with override_settings(SHOP_WEBHOOK=url):
        alice, bob = await people(connect, users, "alice", "bob")
        room = await group(alice, bob)

        await alice.refused(4003, "message.send", {"room_id": room["id"], "content": ""})
        first = await say(alice, room, "Hello", bob, client_id="once")
        await alice.send(
            "message.send", {"room_id": room["id"], "content": "x", "client_id": "once"}
        )
        await alice.expect("message.dispatch")
        second = await say(alice, room, "Bye", bob)

        # Two threads post, in whatever order.
        found = [told.get(timeout=PATIENCE), told.get(timeout=PATIENCE)]
    assert {each["message_id"] for each in found} == {first["id"], second["id"]}
    assert told.empty()


async def test_staff_may_post_anywhere_and_look_nowhere(
    connect: Connect, users: Users, chat_with: Callable[..., None]
) -> None:
    chat_with(PERMISSION_HANDLER_CLASS="shop.permissions.PermissionHandler")
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    staff = users("staff", is_staff=True)
    sam = Person(staff, await connect(staff))
    room = await channel(alice, bob, sam)
    elsewhere = await group(alice, bob, group_locked=True)

    await say(sam, room, "As a subscriber", alice, bob)
    data = {"room_id": elsewhere["id"], "content": "As nobody", "client_id": "once"}
    for _ in range(2):
        await sam.client.send("message.send", data, request_id=1)
        answer = await sam.next()
        assert answer["request_id"] == 1
        assert "error" not in answer
    message = await everybody_gets("message.dispatch", alice, bob)
    assert message["sender"]["username"] == sam.name

    await sam.refused(4002, "room.messages", {"room_id": elsewhere["id"]})
    for person in (bob, carol):
        await person.refused(4002, "message.send", {**data, "client_id": "other"})
    await nobody_gets_anything(alice, bob, carol, sam)


async def test_people_contact_those_of_their_organisation(
    connect: Connect, users: Users, chat_with: Callable[..., None], orm: Orm
) -> None:
    chat_with(PERMISSION_HANDLER_CLASS="shop.organisations.PermissionHandler")
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    (firm,) = orm(Group.objects.bulk_create, [Group(name="the firm")])
    orm(firm.user_set.add, alice.user, bob.user)
    room = await group(alice, bob)

    pair = {"type": "OneToOneChat", "participants": [carol.id]}
    await alice.refused(4002, "room.create", pair)
    addition = {"room_id": room["id"], "members": [carol.id]}
    await alice.refused(4002, "room.add_members", addition)

    orm(firm.user_set.add, carol.user)
    await alice.send("room.add_members", addition)
    await everybody_gets("roomaddmembers.dispatch", alice, bob, carol)
    await nobody_gets_anything(alice, bob, carol)


async def test_leaders_may_delete_what_others_wrote(
    connect: Connect, users: Users, chat_with: Callable[..., None]
) -> None:
    chat_with(PERMISSION_HANDLER_CLASS="shop.permissions.PermissionHandler")
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await group(alice, bob, carol)
    message = await say(bob, room, "Hello", alice, carol)

    deletion = {"action": "delete", "message_id": message["id"]}
    await carol.refused(4002, "message.modify", deletion)
    await alice.send("message.modify", deletion)
    await everybody_gets("messagemodification.dispatch", alice, bob, carol)


class ClosedHandler(operations.EventHandler):
    """Has an operation that fails with an exception of the project's."""

    def send_message(self, *args: Any, **options: Any) -> Any:
        """Fail."""
        raise ShopClosed


async def test_an_exception_of_the_projects_own_has_a_code_of_its_own(
    connect: Connect, users: Users, chat_with: Callable[..., None]
) -> None:
    chat_with(
        EVENT_HANDLER_CLASS=ClosedHandler,
        EXCEPTION_HANDLER_CLASS="shop.exceptions.ExceptionHandler",
    )
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)

    detail = await alice.refused(4900, "message.send", {"room_id": room["id"], "content": "x"})

    assert detail == {"message": "We are closed.", "opens_at": "08:00"}
    await alice.refused(4003, "message.send", {"room_id": 1})


# Own events


async def test_an_own_event_reaches_the_room_through_its_stream(
    connect: Connect, users: Users, chat_with: Callable[..., None], orm: Orm
) -> None:
    chat_with(EVENT_HANDLER_CLASS="shop.polls.EventHandler", EVENT_MAPPER=_poll_events)
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await group(alice, bob)
    stream = f"room:{room['id']}"
    await bob.send("session.resume", {"streams": {}})
    seq = (await bob.expect("session.resumed"))["streams"][stream]["seq"]

    poll = {"room_id": room["id"], "question": "Lunch?", "options": ["soup", "noodles"]}
    await alice.send("poll.open", poll)

    opened = await alice.expect("poll.dispatch")
    assert opened.pop("opened_by")["username"] == alice.name
    assert opened == poll
    frame = await bob.next()
    assert (frame["eventType"], frame["stream"], frame["seq"]) == ("poll.dispatch", stream, seq + 1)
    assert orm(StreamEvent.objects.get, stream=stream, seq=seq + 1).kind == "PollOpened"

    late = await another_socket(connect, bob)
    await late.send("session.resume", {"streams": {stream: seq}})
    assert await late.next() == frame
    await late.expect("session.resumed")
    await carol.refused(4002, "poll.open", poll)
    assert "options" in await alice.refused(4003, "poll.open", {**poll, "options": ["soup"]})
    assert "options" in await alice.refused(4003, "poll.open", {**poll, "options": "soup"})
    await nobody_gets_anything(alice, bob, carol, late)


def _poll_events() -> Any:
    return {**map_events(), "poll.open": Operation("open_poll")}


async def test_an_own_event_outlives_its_class_in_the_log(
    connect: Connect, users: Users, chat_with: Callable[..., None], orm: Orm
) -> None:
    chat_with(EVENT_HANDLER_CLASS="shop.polls.EventHandler", EVENT_MAPPER=_poll_events)
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    poll = {"room_id": room["id"], "question": "Lunch?", "options": ["soup", "noodles"]}
    await alice.send("poll.open", poll)
    await everybody_gets("poll.dispatch", alice, bob)
    chat_with()

    await alice.send("session.resume", {"streams": {f"room:{room['id']}": 0}})

    assert (await alice.next())["eventType"] == "roomcreate.dispatch"
    assert (await alice.next())["eventType"] == "pollopened.dispatch"
    await alice.expect("session.resumed")
    assert await alice.ask("room.list") != []


def test_own_events_and_mutations_are_in_the_schema(chat_with: Callable[..., None]) -> None:
    chat_with(EVENT_HANDLER_CLASS="shop.polls.EventHandler")
    text = get_schema().as_str()

    assert "open_poll(input: OpenPollInput!): Boolean!" in text
    assert "| PollOpened | OrderShipped" in text
    chat_with()
    assert "PollOpened" not in get_schema().as_str()


async def test_a_mapper_removes_and_replaces_events(
    connect: Connect, users: Users, chat_with: Callable[..., None]
) -> None:
    chat_with(EVENT_HANDLER_CLASS="shop.polls.EventHandler", EVENT_MAPPER=_events_without_joining)
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)

    await alice.send("message.typing", {"room_id": room["id"]})
    assert await alice.next() == {"error": "invalid event type"}
    listed = {"id": room["id"], "type": "GroupChat", "unread_count": 0}
    assert await alice.ask("room.list") == [listed]
    await nobody_gets_anything(alice, bob)


def _events_without_joining() -> Any:
    # The approval flow has a table, so it is tried in `test_project`.
    from shop import events

    mapped = events.map_events()
    del mapped["room.approve_join"]
    return mapped


# The consumer


@pytest.fixture
def shop_socket(chat_with: Callable[..., None], chat: ChatThread) -> Iterator[str]:
    """A server with the consumer of the examples; its address."""
    chat_with(CHAT_CONSUMER_CLASS="shop.consumers.ChatConsumer")
    with ChatThread(BelieveQuery(URLRouter(get_websocket_urlpatterns()))) as server:
        yield server.url


async def test_a_consumer_has_hooks_events_and_a_rate_of_its_own(
    connect: Connect, users: Users, shop_socket: str
) -> None:
    user = users("alice")
    alice = await connect(user, url=shop_socket)

    assert await alice.expect("shop.hello") == {"username": user.get_username()}
    await alice.send("shop.time", request_id=7)
    assert (await alice.expect("shop.time", request_id=7)).keys() == {"now"}
    await alice.send("room.create", {"type": "GroupChat", "name": "mine"})
    room = await alice.expect("roomcreate.dispatch")
    for _ in range(5):
        await alice.send("message.send", {"room_id": room["id"], "content": "x"})
        await alice.expect("message.dispatch")
    await alice.send("message.send", {"room_id": room["id"], "content": "x"})
    assert (await alice.error(4029))["retry_after"] > 0
    await alice.heartbeat()
    await alice.send_raw("nonsense")
    await alice.error(4003)

    assert cache.get(f"shop.left.{user.pk}") is None
    await alice.close()
    wait_until(lambda: cache.get(f"shop.left.{user.pk}") is not None, "the departure is noted")


class MoodyConsumer(ChatConsumer):
    """Has hooks that fail."""

    async def connected(self) -> None:
        """Fail as the user's name says."""
        if self.user.get_username().startswith("busy"):
            raise errors.RateLimited({"message": "Come back later.", "retry_after": 60})
        if self.user.get_username().startswith("unlucky"):
            raise ZeroDivisionError

    async def disconnected(self) -> None:
        """Fail."""
        raise ZeroDivisionError


async def test_what_a_hook_raises_closes_the_socket_and_leaves_no_session(
    connect: Connect,
    users: Users,
    orm: Orm,
    chat_with: Callable[..., None],
    chat: ChatThread,
) -> None:
    chat_with(CHAT_CONSUMER_CLASS=MoodyConsumer)
    with ChatThread(BelieveQuery(URLRouter(get_websocket_urlpatterns()))) as server:
        busy = await connect(users("busy"), url=server.url)
        assert (await busy.error(4029))["retry_after"] == 60
        assert await busy.closed() == 4029
        unlucky = await connect(users("unlucky"), url=server.url)
        await unlucky.error(4006)
        assert await unlucky.closed() == 1011
        alice = users("alice")
        await (await connect(alice, url=server.url)).close()

        sessions = get_model("Session").objects.filter(user=alice)
        wait_until(lambda: not orm(sessions.exists), "the session is closed")


# Push messages


@pytest.fixture
def firebase() -> Iterator[Any]:
    """The fake client, with the receiver connected that queues to it."""
    from shop import push
    from shop.firebase import firebase

    notification_created.connect(push.push_to_absent)
    yield firebase
    notification_created.disconnect(push.push_to_absent)


def _queued(firebase: Any) -> list[Any]:
    found = []
    while not firebase.queued.empty():
        found.append(firebase.queued.get())
    return found


async def test_absent_recipients_get_a_push_message_after_the_commit(
    connect: Connect, users: Users, firebase: Any, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    absent = users("carol")
    gone = await another_socket(connect, Person(absent, bob.client))
    room = await group(alice, bob, gone)
    await gone.close()
    sessions = get_model("Session").objects.filter(user=absent)
    wait_until(lambda: not orm(sessions.exists), "the session is closed")

    message = await say(alice, room, "Dinner is ready", bob)
    await alice.refused(4003, "message.send", {"room_id": room["id"], "content": ""})
    (push,) = _queued(firebase)
    assert (push.topic, push.title) == (f"user-{absent.pk}", "New message")
    assert push.body == "Dinner is ready"

    await alice.close()
    wait_until(
        lambda: not orm(get_model("Session").objects.filter(user=alice.user).exists),
        "the session is closed",
    )
    reaction = {"type": "add", "message_id": message["id"], "reaction_content": "yum"}
    await bob.send("message.react", reaction)
    await bob.expect("reaction.dispatch")
    (push,) = _queued(firebase)
    assert (push.topic, push.title) == (f"user-{alice.id}", "New reaction")


# Server code


async def test_a_view_opens_a_room_and_its_members_hear_it(
    connect: Connect, users: Users, orm: Orm
) -> None:
    staff = users("staff", is_staff=True)
    sam, alice = Person(staff, await connect(staff)), *await people(connect, users, "alice")
    browser = Browser()
    orm(browser.force_login, alice.user)

    with override_settings(ROOT_URLCONF="shop.urls"):
        answer = orm(browser.post, "/help/", {"question": "Where is my order?"}).json()
        room = await everybody_gets("roomcreate.dispatch", sam, alice)
        message = await everybody_gets("message.dispatch", sam, alice)
        assert answer == {"room_id": room["id"], "message_id": message["id"]}

        refused = orm(browser.post, "/help/", {"question": ""})
        assert (refused.status_code, "content" in refused.json()["detail"]) == (400, True)
        # The room went with the message that was refused.
        await nobody_gets_anything(sam, alice)
    orm(staff.delete)


async def test_an_async_view_sends_a_message(connect: Connect, users: Users, orm: Orm) -> None:
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await group(alice, bob)
    url = f"/rooms/{room['id']}/answer/"

    with override_settings(ROOT_URLCONF="shop.urls"):
        browser = AsyncClient()
        orm(browser.force_login, alice.user)
        answer = await browser.post(url, {"content": "Here"})
        message = await everybody_gets("message.dispatch", alice, bob)
        assert answer.json() == {"message_id": message["id"]}
        stranger = AsyncClient()
        orm(stranger.force_login, carol.user)
        assert (await stranger.post(url, {"content": "Here"})).status_code == 400
    await nobody_gets_anything(alice, bob, carol)


async def test_a_task_writes_as_the_system_and_once(
    connect: Connect, users: Users, orm: Orm
) -> None:
    from shop import tasks

    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob, group_locked=True)

    for _ in range(2):
        orm(tasks.remind, room["id"], "2026-11-22")

    message = await everybody_gets("message.dispatch", alice, bob)
    assert (message["sender"]["username"], message["content"]) == (
        "shop-bot",
        "We close in an hour.",
    )
    await nobody_gets_anything(alice, bob)
    orm(get_user_model().objects.filter(username="shop-bot").delete)


async def test_a_task_tells_one_user_on_every_device(
    connect: Connect, users: Users, chat_with: Callable[..., None], orm: Orm
) -> None:
    from shop import tasks

    chat_with(EVENT_HANDLER_CLASS="shop.polls.EventHandler")
    alice, bob = await people(connect, users, "alice", "bob")
    laptop = await another_socket(connect, alice)
    await laptop.send("session.resume", {"streams": {}})
    seq = (await laptop.expect("session.resumed"))["streams"][f"user:{alice.id}"]["seq"]

    orm(tasks.tell_shipped, alice.id, "4711")

    assert await alice.expect("order.dispatch") == {"order": "4711", "carrier": "snail mail"}
    frame = await laptop.next()
    assert (frame["stream"], frame["seq"]) == (f"user:{alice.id}", seq + 1)
    await nobody_gets_anything(alice, bob, laptop)
