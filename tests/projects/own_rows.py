"""A project whose users have long keys, and whose managers compute. Run in a process of its own.

It swaps the models that its managers are for, migrates and chats, for several tenants in turn and
over time.
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

#: The longest keys that users may have, with letters that JSON, SQL and layers write in their way.
KEYS = [f"{number}/:é'%\"\\ " + "k" * 246 for number in range(3)]

MODELS = '''
from contextvars import ContextVar
from datetime import UTC, datetime

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models
from django.utils import timezone

from gql_chat import models as chat

tenant = ContextVar("tenant", default="")


def get_tenant():
    return tenant.get()


class People(UserManager):
    """The users that are not deleted."""

    def get_queryset(self):
        return super().get_queryset().filter(deleted=False)


class User(AbstractUser):
    id = models.CharField(max_length=255, primary_key=True)
    deleted = models.BooleanField(default=False)

    everybody = UserManager()
    objects = People()

    class Meta:
        default_manager_name = "objects"
        base_manager_name = "everybody"


class Messages(models.Manager):
    """The messages that are still valid."""

    def get_queryset(self):
        return super().get_queryset().filter(valid_until__gt=timezone.now())


class Message(chat.AbstractMessage):
    valid_until = models.DateTimeField(default=datetime(2100, 1, 1, tzinfo=UTC))

    objects = Messages()


class Reactions(models.Manager):
    """The reactions of the tenant's."""

    def get_queryset(self):
        return super().get_queryset().filter(tenant=tenant.get())


class Reaction(chat.AbstractReaction):
    tenant = models.CharField(max_length=16, default=get_tenant)

    objects = Reactions()
'''


def main() -> None:
    """Run: the arguments are an empty directory and the setting for an empty database."""
    directory, database = Path(sys.argv[1]), json.loads(sys.argv[2])
    package = directory / "shop"
    (package / "migrations").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "migrations" / "__init__.py").touch()
    (package / "models.py").write_text(MODELS)
    sys.path.insert(0, str(directory))
    _set_up(database)
    _migrate()
    people = _make_users()
    for _ in range(2):  # The second time, whatever could be kept is kept.
        _ask_for_messages(people)
        _ask_for_users(people)
        _ask_for_reactions(people)
    _check_streams(people)
    sys.stdout.write("done")


def _set_up(database: dict[str, Any]) -> None:
    import django
    from django.conf import settings

    settings.configure(
        SECRET_KEY="only-for-tests",
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        AUTH_USER_MODEL="shop.User",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "channels",
            "guardian",
            "gql_chat",
            "event_bridge",
            "shop",
        ],
        AUTHENTICATION_BACKENDS=[
            "django.contrib.auth.backends.ModelBackend",
            "guardian.backends.ObjectPermissionBackend",
        ],
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        GUARDIAN_GET_INIT_ANONYMOUS_USER="tests.projects.own_rows.make_nobody",
        CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
        DATABASES={"default": database},
        REALTIME_CHAT_MESSAGING={
            "MODELS": {"Message": "shop.Message", "Reaction": "shop.Reaction"},
        },
    )
    django.setup()


def make_nobody(model: Any) -> Any:
    """Return guardian's stand-in for anonymous visitors, which needs a key as all users do."""
    return model(pk="nobody", username="AnonymousUser")


def _migrate() -> None:
    from django.core.checks import run_checks
    from django.core.management import call_command

    found = run_checks()
    assert not found, found
    call_command("makemigrations", verbosity=0, skip_checks=True)
    call_command("migrate", verbosity=0, skip_checks=True)
    call_command("makemigrations", "--check", "--dry-run", verbosity=0, skip_checks=True)


def _make_users() -> list[Any]:
    from django.contrib.auth import get_user_model

    users: Any = get_user_model()._default_manager
    made = [users.create_user(f"user {key[0]}", pk=key) for key in KEYS]
    assert [len(user.pk) for user in made] == [255] * 3
    return made


def _ask_for_messages(people: list[Any]) -> None:
    """Messages are valid until a time."""
    from django.utils import timezone

    from gql_chat.errors import NotFound
    from gql_chat.models import get_model
    from gql_chat.operations import EventHandler

    alice, bob = (EventHandler(user.pk) for user in people[:2])
    room = alice.create_room("GroupChat", name="group", members=[people[1].pk])
    for text in ("short", "long"):
        alice.send_message(room.pk, text)
    now = timezone.now()
    messages = get_model("Message").objects.filter(room_id=room.pk)
    messages.filter(content="short").update(valid_until=now + timedelta(hours=1))
    short = messages.get(content="short").pk

    def seen() -> tuple[Any, ...]:
        handler = EventHandler(bob.user_id)
        page = handler.room_messages(room.pk)
        (listed,) = (each for each in handler.list_rooms() if each.pk == room.pk)
        return sorted(message.content for message in page.messages), listed.unread_count

    assert seen() == (["long", "short"], 2)
    EventHandler(bob.user_id).add_reaction(short, "+1")
    later = now + timedelta(hours=2)
    with patch.object(timezone, "now", lambda: later):
        assert seen() == (["long"], 1)
        for act in ("add_reaction", "acknowledge_messages"):
            arguments = (short, "-1") if act == "add_reaction" else ([short],)
            try:
                getattr(EventHandler(bob.user_id), act)(*arguments)
            except NotFound:
                pass
            else:
                raise AssertionError(f"{act} found a message that is not valid any more")
    assert seen() == (["long", "short"], 2)
    EventHandler(bob.user_id).read_messages([short])
    assert seen() == (["long", "short"], 1)


def _ask_for_users(people: list[Any]) -> None:
    """Users may be deleted, and come back."""
    from django.contrib.auth import get_user_model

    from gql_chat.errors import NotAuthenticated
    from gql_chat.operations import EventHandler

    everybody = get_user_model().everybody.filter(pk=people[2].pk)
    for _ in range(2):
        EventHandler(people[2].pk).list_rooms()
        everybody.update(deleted=True)
        try:
            EventHandler(people[2].pk).list_rooms()
        except NotAuthenticated:
            pass
        else:
            raise AssertionError("a user who is deleted lists rooms")
        everybody.update(deleted=False)


def _ask_for_reactions(people: list[Any]) -> None:
    """Reactions are those of the tenant's."""
    from gql_chat.models import get_model
    from gql_chat.models.relations import load_messages
    from gql_chat.operations import EventHandler
    from shop.models import tenant  # type: ignore[import-not-found]

    alice, bob = (EventHandler(user.pk) for user in people[:2])
    room = alice.create_room("GroupChat", name="other", members=[people[1].pk])
    sent = alice.send_message(room.pk, "Hello")
    bob.acknowledge_messages([sent.message_id])

    def reactions() -> list[str]:
        message = get_model("Message").objects.get(pk=sent.message_id)
        load_messages([message])
        return [reaction.reaction_content for reaction in message.relations.reactions]

    for _ in range(2):
        for name in ("red", "blue"):
            tenant.set(name)
            assert reactions() == []
            bob.add_reaction(sent.message_id, name)
            assert reactions() == [name]
            bob.remove_reaction(sent.message_id, name)
            assert reactions() == []
    room.delete()


def _check_streams(people: list[Any]) -> None:
    """The names of the streams of users hold their keys, and so do the positions."""
    from gql_chat import streams
    from gql_chat.models import StreamEvent
    from gql_chat.operations import EventHandler

    name = streams.user_stream(people[0].pk)
    assert StreamEvent.objects.filter(stream=name).exists()
    handler = EventHandler(people[0].pk)
    handler.open_session("socket")
    own = next(iter(handler.positions()))
    events = streams.read_log(name, 0, 100)
    assert (own.stream, own.seq) == (name, len(events))
    assert streams.heads({name: 0}) == {name: len(events)}
    assert len(streams.missed({name: (0, own.seq)})) == len(events)


if __name__ == "__main__":
    main()
