"""Monitoring of a real server: metrics, health and log lines of what clients do on its socket."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.conftest import Connect, Orm, Users
from tests.scrapes import Answer, Scrape
from tests.servers import ChatProcess
from tests.timing import eventually
from tests.wire.rooms import another_socket, group, people, say

SECRET = "a secret of Alice and Bob"


@pytest.fixture(scope="module")
def monitored(server_environment: Mapping[str, str]) -> Iterator[ChatProcess]:
    """A process that counts, times and logs what it does."""
    settings = json.dumps({"METRICS": True, "LOG_EVENTS": True})
    environment = {**server_environment, "CHAT_TEST_SETTINGS": settings}
    with ChatProcess(environment, "tests.site.monitored:application") as process:
        yield process


@pytest.fixture
async def at(monitored: ChatProcess, connect: Connect) -> Connect:
    """Opens sockets of that process."""

    async def opened(user: Any, **options: Any) -> Any:
        return await connect(user, **{"url": monitored.url, **options})

    return opened


async def scrape(process: ChatProcess) -> Scrape:
    return await asyncio.to_thread(Scrape, process)


async def test_what_clients_do_is_counted_and_timed(
    monitored: ChatProcess, at: Connect, users: Users
) -> None:
    before = await scrape(monitored)
    alice, bob = await people(at, users, "alice", "bob")
    room = await group(alice, bob)
    await say(alice, room, SECRET, bob)
    await bob.refused(4003, "message.send", {"room_id": room["id"]})
    await bob.client.send("message.made_up", {})
    await bob.client.next()
    now = await scrape(monitored)

    def grown(name: str, **labels: str) -> float:
        return now(name, **labels) - before(name, **labels)

    sent = {"event_type": "message.send"}
    assert grown("chat_events_total", outcome="success", **sent) == 1
    assert grown("chat_events_total", outcome="refused", **sent) == 1
    assert grown("chat_refusals_total", code="4003") == 1
    assert grown("chat_event_duration_seconds_count", **sent) == 2
    assert grown("chat_events_total", event_type="unknown", outcome="unknown") == 1
    assert grown("chat_dispatches_total", event_type="message.dispatch") == 1
    assert grown("chat_deliveries_total", event_type="message.dispatch") == 2
    assert grown("chat_sockets_opened_total") == 2
    # Each is a job of a database thread, at least.
    assert grown("chat_hop_duration_seconds_count") >= 5
    assert grown("chat_database_duration_seconds_count") > 0
    assert now("chat_layer_up") == 1
    assert "message.made_up" not in now.answer.text
    assert SECRET not in now.answer.text


async def test_what_the_process_holds_is_shown_as_it_is_now(
    monitored: ChatProcess, at: Connect, users: Users, orm: Orm
) -> None:
    (alice,) = await people(at, users, "alice")
    phone = await another_socket(at, alice)

    now = await scrape(monitored)
    assert (now("chat_sockets"), now("chat_users")) == (2, 1)
    assert now("chat_streams") >= 1
    assert now("chat_event_log_rows") >= 0
    closed = now("chat_sockets_closed_total", code="none")

    await phone.close()
    await eventually(
        lambda: Scrape(monitored)("chat_sockets_closed_total", code="none") > closed, "it ends"
    )
    assert (await scrape(monitored))("chat_sockets") == 1


async def test_a_socket_that_is_turned_away_is_counted_with_its_code(
    monitored: ChatProcess, at: Connect
) -> None:
    before = await scrape(monitored)
    client = await at(None, greeted=False)
    assert await client.closed() == 4001

    now = await scrape(monitored)
    name, code = "chat_sockets_closed_total", "4001"
    assert now(name, code=code) - before(name, code=code) == 1


async def test_names_that_clients_make_up_make_no_labels(
    monitored: ChatProcess, at: Connect, users: Users
) -> None:
    (alice,) = await people(at, users, "alice")
    before = await scrape(monitored)
    for number in range(20):
        await alice.client.send(f"made.up.{number}", {"room_id": f"made-up-{number}"})
        await alice.client.next()
        await alice.client.send_raw(f"{{{number}")
        await alice.client.error(4003)

    now = await scrape(monitored)
    assert now.values("event_type") - before.values("event_type") <= {"unknown", "malformed"}
    assert now.values("code") - before.values("code") <= {"4003"}


@pytest.mark.parametrize("prefix", ["/monitoring", "/beside"])
async def test_health_says_what_is_well_and_no_more(prefix: str, monitored: ChatProcess) -> None:
    live = await asyncio.to_thread(Answer, monitored, f"{prefix}/health/live")
    assert (live.status, live.json) == (200, {"status": "ok", "checks": {"hub": "ok"}})

    ready = await asyncio.to_thread(Answer, monitored, f"{prefix}/health/ready")
    assert ready.status == 200
    checks = dict.fromkeys(("database", "migrations", "layer", "hub"), "ok")
    assert ready.json == {"status": "ok", "checks": checks}
    assert ready.headers["Content-Type"] == "application/json"
    assert ready.headers["Cache-Control"] == "no-store"


async def test_monitoring_beside_django_shows_the_same(monitored: ChatProcess) -> None:
    beside = await asyncio.to_thread(Scrape, monitored, "/beside/metrics")

    # As in Django's own: these do not change by being asked for.
    assert beside.samples.keys() >= {("chat_sockets", ()), ("chat_layer_up", ())}
    assert beside.answer.headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize("path", ["metrics", "health/live", "health/ready"])
@pytest.mark.parametrize("prefix", ["/monitoring", "/beside"])
async def test_monitoring_is_only_read(prefix: str, path: str, monitored: ChatProcess) -> None:
    url = f"{prefix}/{path}"
    refused = await asyncio.to_thread(Answer, monitored, url, "OPTIONS")
    assert (refused.status, refused.headers["Allow"]) == (405, "GET, HEAD")
    head = await asyncio.to_thread(Answer, monitored, url, "HEAD")
    assert (head.status, head.text) == (200, "")


def lines(process: ChatProcess) -> list[dict[str, Any]]:
    found = []
    for line in process.log.splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue  # uvicorn's own
    return [line for line in found if isinstance(line, dict)]


async def test_each_event_has_a_line_with_its_facts_and_without_its_content(
    monitored: ChatProcess, at: Connect, users: Users
) -> None:
    alice, bob = await people(at, users, "alice", "bob")
    room = await group(alice, bob)
    await say(alice, room, SECRET, bob)
    await bob.refused(4004, "message.read", {"message_id": room["id"]})
    await bob.client.send("made.up", {"room_id": SECRET, "content": SECRET})
    await bob.client.next()

    def found() -> list[tuple[Any, ...]]:
        mine = {str(alice.user.pk), str(bob.user.pk)}
        return [
            (line["event_type"], line["outcome"], line.get("code"), line.get("room_id"))
            for line in lines(monitored)
            if line["logger"] == "event_bridge.events" and line.get("user_id") in mine
        ]

    await eventually(lambda: len(found()) >= 4, "the lines are there")
    assert found() == [
        ("room.create", "success", None, None),
        ("message.send", "success", None, room["id"]),
        ("message.read", "refused", 4004, None),
        ("unknown", "unknown", None, None),
    ]
    assert all(line["milliseconds"] > 0 for line in lines(monitored) if "milliseconds" in line)
    assert SECRET not in monitored.log
    assert "made.up" not in monitored.log


async def test_metrics_that_are_off_are_not_there(chat: Any) -> None:
    for path, status in {"metrics": 404, "health/live": 200, "health/ready": 200}.items():
        answer = await asyncio.to_thread(Answer, chat, f"/monitoring/{path}")
        assert answer.status == status
