"""The table at the GraphQL endpoint, as oneself and as another user."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, Permission
from django.test import RequestFactory, override_settings

from event_bridge.operations import events
from gql_chat.endpoint import ChatGraphQLView
from tests.conftest import Orm, Users
from tests.rights.attempts import Judge, cells, outcome_of_answer, outcome_of_error
from tests.rights.cases import CASES, Data
from tests.rights.table import ROOMS
from tests.rights.world import World, roles_of
from tests.wire.rooms import NOBODY

#: What a tool asks instead of resuming.
POSITIONS = "{ positions { stream } }"
ACT_AS = "HTTP_X_CHAT_ACT_AS"

Answer = tuple[int, Any]
WorldOf = Callable[[str], World]


class Tool:
    """Somebody's tool, at the view: without a server, and signed in without a session."""

    def __init__(self, user: Any, act_as: Any = None) -> None:
        self._user = user
        self._headers = {} if act_as is None else {ACT_AS: str(act_as)}
        self._view: Any = ChatGraphQLView.as_view()
        self._requests = RequestFactory()

    async def ask(self, query: str, variables: Any = None) -> Answer:
        """Send an operation; returns the status and the body."""
        content = json.dumps({"query": query, "variables": variables})
        request = self._requests.post("/", content, "application/json", **self._headers)
        request.user = self._user
        response = await self._view(request)
        return response.status_code, json.loads(response.content)

    async def outcome(self, event: str, data: Data, world: World) -> str:
        """Send what the event asks for, as the socket would; returns what comes of it."""
        if event == "session.resume":
            _, body = await self.ask(POSITIONS)
        else:
            prepared = events().find(event, data)
            _, body = await self.ask(prepared.document.text, prepared.variables(data))
        for error in body.get("errors") or ():
            return outcome_of_error(error["extensions"])
        if event != "session.resume":
            return outcome_of_answer(event, world, body["data"])
        named = world.room_id in json.dumps(body["data"])
        asked = world.room_id in json.dumps(data)
        return "shown" if named else "gone" if asked else "absent"


async def try_all(
    world: World, orm: Orm, tools: dict[str, Tool], meant: str | None = None
) -> list[str]:
    """Try every cell of these roles; returns what is wrong (see `Judge.judge`)."""
    judge = Judge(world, orm)
    with judge.listening():
        for cell, data in cells(world, tools):
            event, _, role = cell
            # A tool keeps no socket open.
            if event != "session.heartbeat":
                judge.judge(cell, await tools[role].outcome(event, data, world), meant)
    assert judge.count >= (len(CASES) - 1) * len(tools)
    return judge.wrong


def deactivate(world: World, orm: Orm) -> None:
    """Deactivate the account of that role."""
    user = world.people["deactivated"]
    orm(type(user)._default_manager.filter(pk=user.pk).update, is_active=False)


@pytest.fixture
def support(users: Users, orm: Orm) -> Any:
    """Somebody of the staff who may act as others."""
    user: Any = users("support", is_staff=True)
    orm(user.user_permissions.add, orm(Permission.objects.get, codename="act_as"))
    return user


@pytest.mark.parametrize("kind", ROOMS)
async def test_every_cell_comes_out_as_on_the_socket(
    kind: str, world_of: WorldOf, orm: Orm
) -> None:
    world = world_of(kind)
    tools = {role: Tool(world.people[role]) for role in roles_of(kind)}

    assert await try_all(world, orm, tools) == []

    deactivate(world, orm)
    nobodies = {
        "deactivated": Tool(world.people["deactivated"]),
        "anonymous": Tool(AnonymousUser()),
    }
    assert await try_all(world, orm, nobodies) == []


@pytest.mark.parametrize("kind", ROOMS)
async def test_every_cell_comes_out_for_who_acts_as_another_as_for_that_one(
    kind: str, world_of: WorldOf, orm: Orm, support: Any, users: Users
) -> None:
    world = world_of(kind)
    # Only a superuser may act as one.
    supervisor = users("supervisor", is_staff=True, is_superuser=True)
    tools = {
        role: Tool(supervisor if user.is_superuser else support, act_as=user.pk)
        for role, user in world.people.items()
        if role != "deactivated"
    }

    assert await try_all(world, orm, tools) == []

    deactivate(world, orm)
    nobody = {"deactivated": Tool(support, act_as=world.pk("deactivated"))}
    assert await try_all(world, orm, nobody, meant="4004") == []


#: Who may act as whom: the caller, as whom they want to act, and the outcome. First come those that
#: the endpoint does not let in.
ACTING = """
anonymous    | member      | 4001
deactivated  | member      | 4001
plain        | member      | 4002
permitted    | member      | 4002
staff        | member      | 4002
support      | member      | ok
support      | stranger    | 4002
support      | deactivated | 4004
support      | superuser   | 4002
support      | nobody      | 4004
support      | nonsense    | 4003
supervisor   | member      | ok
supervisor   | superuser   | ok
supervisor   | stranger    | 4002
supervisor   | deactivated | 4004
"""


@pytest.mark.parametrize(
    ("caller", "other", "outcome"),
    [[cell.strip() for cell in line.split("|")] for line in ACTING.split("\n") if line],
)
async def test_who_may_act_as_whom(
    caller: str,
    other: str,
    outcome: str,
    acting_world: World,
    support: Any,
    users: Users,
    orm: Orm,
) -> None:
    world, made = acting_world, {"support": support, "anonymous": AnonymousUser()}
    if caller not in made:
        staff = caller in ("staff", "supervisor", "deactivated")
        made[caller] = users(
            caller,
            is_staff=staff,
            is_superuser=caller == "supervisor",
            is_active=caller != "deactivated",
        )
    if caller in ("permitted", "deactivated"):
        orm(made[caller].user_permissions.add, orm(Permission.objects.get, codename="act_as"))
    others = {"nobody": NOBODY, "nonsense": "x y"}
    act_as = others[other] if other in others else world.pk(other)
    tool, judge = Tool(made[caller], act_as), Judge(world, orm)
    build = CASES["room.info"]["the room"]

    with judge.listening():
        found = await tool.outcome("room.info", build(world, other) or {}, world)
        judge.judge(("room.info", "the room", other), found, outcome)

    assert judge.wrong == []


@pytest.fixture
def acting_world(world_of: WorldOf, orm: Orm) -> Iterator[World]:
    """A group, at the endpoint that lets staff in, as it does by default."""
    world = world_of("group")
    deactivate(world, orm)
    access = {"GRAPHQL_ACCESS": "gql_chat.endpoint.access.is_staff"}
    with override_settings(REALTIME_CHAT_MESSAGING={**settings.REALTIME_CHAT_MESSAGING, **access}):
        yield world
