"""Chat that was dumped with natural keys and loaded where users have other primary keys."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.management import call_command
from guardian.models import UserObjectPermission

from event_bridge.resume import Resumption
from gql_chat import dumps
from gql_chat.errors import Conflict
from gql_chat.models import (
    Membership,
    OneToOneChat,
    Room,
    StreamEvent,
    UserStream,
    get_model,
)
from gql_chat.operations import EventHandler
from tests.conftest import Users
from tests.servers import ROOT

pytestmark = pytest.mark.django_db

PAGE = ROOT / "docs" / "dumps.md"
COMMANDS = [
    shlex.split(line) for line in re.findall(r"^    python manage.py (.*)$", PAGE.read_text(), re.M)
]
DUMP, LOAD = COMMANDS

#: What an operation of chat is done to, and what of it is in the database afterwards.
Found = dict[str, Any]


class Chat:
    """What three people did before the dump; by names, since keys change."""

    def __init__(self, users: Users) -> None:
        self.names: list[str] = []
        alice, bob, carol = users.make("alice", "bob", "carol")
        self.names = [user.get_username() for user in (alice, bob, carol)]
        mine = EventHandler(alice.pk)
        self.group = mine.create_room("GroupChat", name="g", members=[bob.pk, carol.pk])
        self.pair = mine.create_room("OneToOneChat", members=[bob.pk])
        mine.set_leaders(self.group.pk, "admins", [bob.pk], lead=True)
        self.sent = mine.send_message(self.group.pk, "hello", client_id="once")
        mine.send_message(self.pair.pk, "hello you")
        EventHandler(bob.pk).acknowledge_messages([self.sent.message_id])
        EventHandler(bob.pk).read_messages([self.sent.message_id])
        EventHandler(carol.pk).add_reaction(self.sent.message_id, "+1")

    def users(self) -> list[Any]:
        """The three, as they are now."""
        users: Any = get_user_model()._default_manager
        return [users.get_by_natural_key(name) for name in self.names]

    def found(self) -> Found:
        """All that the three see and may, by names."""
        found: Found = {"log": StreamEvent.objects.count()}
        for user in self.users():
            handler = EventHandler(user.pk)
            name = user.get_username()
            found[name] = {
                "rooms": {
                    room.pk: (room.unread_count, room.last_message.content, room.seq, _peer(room))
                    for room in handler.list_rooms()
                },
                "waiting": {
                    room_id: [each.notification_type for each in waiting]
                    for room_id, waiting in handler.pending_notifications().items()
                },
                "permissions": sorted(
                    UserObjectPermission.objects.filter(user=user).values_list(
                        "permission__codename", "object_pk"
                    )
                ),
                "positions": sorted(
                    (name if each.stream.startswith("user:") else each.stream, each.seq)
                    for each in handler.positions()
                ),
            }
        found["roles"] = sorted(
            (str(membership.room_id), membership.user.get_username(), membership.role)
            for membership in Membership.objects.select_related("user")
        )
        return found


def _peer(room: Any) -> str | None:
    return None if room.peer is None else room.peer.get_username()


def forget_everything() -> None:
    """Leave the tables as an empty database has them."""
    for label in ("guardian", "gql_chat"):
        for model in apps.get_app_config(label).get_models():
            if not model._meta.proxy and not model._meta.swapped:
                model._default_manager.all().delete()
    for name in ("Message", "Reaction", "Session"):
        get_model(name).objects.all().delete()
    get_user_model()._default_manager.all().delete()
    for model in (StreamEvent, UserStream):  # which what is deleted above may have added to
        model.objects.all().delete()


@pytest.fixture
def dumped(users: Users, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Chat, Found]:
    """A chat that was dumped, and is no more; where it is to be loaded others have the keys."""
    monkeypatch.chdir(tmp_path)
    chat = Chat(users)
    found = chat.found()
    call_command(*DUMP, verbosity=0)
    keys = [user.pk for user in chat.users()]
    forget_everything()
    create: Any = get_user_model()._default_manager
    for number, key in enumerate(keys):
        create.create_user(f"other-{number}@example.com", pk=key)
    # The others come in the opposite order, so what was first is last.
    for name in reversed(chat.names):
        create.create_user(name)
    return chat, found


def test_who_is_loaded_chats_on(
    dumped: tuple[Chat, Found], django_capture_on_commit_callbacks: Any
) -> None:
    chat, before = dumped
    loads: list[Any] = []

    def note(using: str, **kwargs: Any) -> None:
        loads.append(using)

    dumps.history_loaded.connect(note)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            call_command(*LOAD, verbosity=0)
    finally:
        dumps.history_loaded.disconnect(note)

    assert chat.found() == {**before, "log": 0}
    assert loads == ["default"]


def test_nothing_that_is_once_can_be_again(dumped: tuple[Chat, Found]) -> None:
    chat, _ = dumped
    call_command(*LOAD, verbosity=0)
    alice, bob, carol = chat.users()

    for one, other in ((alice, bob), (bob, alice)):
        with pytest.raises(Conflict) as refused:
            EventHandler(one.pk).create_room("OneToOneChat", members=[other.pk])
        assert refused.value.detail == {
            "message": "Chat already exists",
            "room_id": str(chat.pair.pk),
        }
        assert OneToOneChat.objects.start(one, other).pk == chat.pair.pk
    repeat = EventHandler(alice.pk).send_message(chat.group.pk, "hello", client_id="once")
    assert repeat.original is not None
    assert repeat.message_id == chat.sent.message_id
    assert EventHandler(carol.pk).create_room("OneToOneChat", members=[bob.pk])


def test_streams_go_on_and_nobody_gets_what_others_missed(dumped: tuple[Chat, Found]) -> None:
    chat, before = dumped
    call_command(*LOAD, verbosity=0)
    alice, bob, _ = chat.users()
    stream = f"room:{chat.group.pk}"
    places = dict(before[chat.names[0]]["positions"])

    sent = EventHandler(alice.pk).send_message(chat.group.pk, "again")

    assert sent.seq == places[stream] + 1
    own = f"user:{alice.pk}"
    EventHandler(bob.pk).acknowledge_messages([sent.message_id])
    assert UserStream.objects.get(user=alice).seq == places[chat.names[0]] + 1
    replay = Resumption({stream: 1, own: 0}, {}).read(alice.pk)
    assert replay.frames == []
    assert {replay.answer[name]["recovered"] for name in (stream, own)} == {False}


def test_a_log_that_was_dumped_does_not_arrive(
    users: Users, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    chat = Chat(users)
    without_exclusion = [part for part in DUMP if part not in {"--exclude", "gql_chat.streamevent"}]
    call_command(*without_exclusion, verbosity=0)
    kept = json.loads(Path("chat.json").read_text())
    assert any(row["model"] == "gql_chat.streamevent" for row in kept)
    forget_everything()

    call_command(*LOAD, verbosity=0)

    assert Room.objects.filter(pk=chat.group.pk).exists()
    assert not StreamEvent.objects.exists()


def test_no_dump_names_a_user_by_a_key(
    users: Users, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    chat = Chat(users)
    keys = [str(user.pk) for user in chat.users()]
    others = [users(f"padding-{number}").pk for number in range(3)]
    assert not {str(key) for key in others} & set(keys)

    call_command(*DUMP, verbosity=0)

    for row in json.loads(Path("chat.json").read_text()):
        model = apps.get_model(row["model"])
        for name, value in row["fields"].items():
            field = model._meta.get_field(name)
            if field.remote_field is not None and field.related_model is get_user_model():
                assert value is None or isinstance(value, list), (row["model"], name)
        if model is UserStream:
            assert "pk" not in row


def test_a_load_that_fails_is_no_load(dumped: tuple[Chat, Found]) -> None:
    Path("chat.json").write_text(
        Path("chat.json").read_text().rstrip()[:-1] + ', {"model": "no.thing"}]'
    )
    with pytest.raises(Exception, match=r"no\.thing"):
        call_command(*LOAD, verbosity=0)

    assert not dumps._loads.under_way
