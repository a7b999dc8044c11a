"""The GraphQL endpoint with users that are unlike Django's: no username, and no `is_staff`."""

from tests.conftest import ChatWith, Orm, Users
from tests.endpoint.test_http import allow_everybody
from tests.endpoint.tools import SEND, Tool, code_of, sign_in
from tests.servers import ChatThread

ROOMS = "{ rooms { id } }"


def test_nobody_is_staff_and_whom_the_project_lets_in_chats(
    chat: ChatThread, users: Users, orm: Orm, chat_with: ChatWith
) -> None:
    alice, bob = users.make("alice", "bob")
    tool = Tool(chat.port, sign_in(orm, alice))

    status, body = tool.post(ROOMS)
    assert (status, code_of(body)) == (403, 4002)

    chat_with(GRAPHQL_ACCESS=allow_everybody)
    made = tool.ask(
        "mutation ($input: CreateRoomInput!) { create_room(input: $input) { id } }",
        {"input": {"type": "GroupChat", "name": "group", "participants": [str(bob.pk)]}},
    )
    sent = tool.ask(SEND, {"input": {"room_id": made["create_room"]["id"], "content": "hello"}})
    assert sent["send_message"]["seq"] == 2
    (room,) = tool.ask(ROOMS)["rooms"]
    assert room == made["create_room"]
