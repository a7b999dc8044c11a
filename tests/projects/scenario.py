"""What projects that swap models go through. Each runs in a process that has no project yet."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

from tests.projects.project import OWN_TYPE, TABLES, TYPES, USER, Project

IN_MEMORY = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}


def plan(project: Project, directory: Path) -> None:
    """Make the project's migrations, and follow them step by step without a database.

    Args:
        project: the project.
        directory: an empty directory for its files.

    Raises:
        Exception: the migrations wait for each other in a circle, point at what is not there at
            that step, or do not amount to the models.
    """
    # Without the socket, which has no tables and takes a third of the time to load.
    _set_up(project, directory, IN_MEMORY, ())
    from django.core.management import call_command
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    call_command("makemigrations", verbosity=0, skip_checks=True)
    executor = MigrationExecutor(connection)
    state = executor._create_project_state()
    for migration, _ in executor.migration_plan(executor.loader.graph.leaf_nodes()):
        for operation in migration.operations:
            operation.state_forwards(migration.app_label, state)
            _points_at_what_is_there(project, state)
    _is_complete(state, executor.loader)


def live(project: Project, directory: Path, database: dict[str, Any]) -> None:
    """Migrate, chat and erase, go back to nothing, and do it again.

    Args:
        project: the project.
        directory: an empty directory for its files.
        database: the setting for an empty database.

    Raises:
        Exception: something is not as it has to be.
    """
    _set_up(project, directory, database, ("event_bridge",))
    from django.core.checks import run_checks
    from django.core.management import call_command

    found = run_checks()
    assert not found, found
    call_command("makemigrations", verbosity=0, skip_checks=True)
    _migrate()
    _converse(project)
    _erase()
    for label in [*project.apps, "gql_chat"]:
        _migrate(label, "zero")
    _is_empty(project)
    _migrate()
    _converse(project)
    _erase()
    call_command("makemigrations", "--check", "--dry-run", verbosity=0, skip_checks=True)


def _set_up(
    project: Project, directory: Path, database: dict[str, Any], socket: tuple[str, ...]
) -> None:
    import django
    from django.conf import settings

    project.write(directory)
    sys.path.insert(0, str(directory))
    user = project.declared.get(USER)
    settings.configure(
        SECRET_KEY="only-for-tests",
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        AUTH_USER_MODEL="auth.User" if user is None else f"{user}.User",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "channels",
            "guardian",
            "gql_chat",
            *socket,
            *project.apps,
        ],
        # The tables of others are not what is tried here, and their migrations take their time;
        # but with a user model of the project's own, they have to wait for it.
        MIGRATION_MODULES={} if user else dict.fromkeys(("auth", "contenttypes", "guardian")),
        AUTHENTICATION_BACKENDS=[
            "django.contrib.auth.backends.ModelBackend",
            "guardian.backends.ObjectPermissionBackend",
        ],
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
        DATABASES={"default": database},
        REALTIME_CHAT_MESSAGING={"MODELS": project.models},
    )
    django.setup()


# Without a database


def _points_at_what_is_there(project: Project, state: Any) -> None:
    """Check every foreign key of the project and the package against the tables at this step."""
    from django.db.migrations.utils import resolve_relation

    for (app, name), model in state.models.items():
        if app not in (*project.apps, "gql_chat"):
            continue
        for field_name, field in model.fields.items():
            if not field.remote_field:
                continue
            target = resolve_relation(field.remote_field.model, app, name)
            if target[0] in state.real_apps:
                continue
            assert target in state.models, (app, name, field_name, target)
            assert not _is_out(state.models[target]), (app, name, field_name, target)


def _is_out(model: Any) -> bool:
    """Whether a model of the package has given way to one of the project, so has no table."""
    from django.conf import settings

    swappable = model.options.get("swappable")
    label = f"{model.app_label}.{model.name}"
    return swappable is not None and getattr(settings, swappable) != label


def _is_complete(state: Any, loader: Any) -> None:
    from django.apps import apps
    from django.db.migrations.autodetector import MigrationAutodetector
    from django.db.migrations.state import ProjectState

    detector = MigrationAutodetector(state, ProjectState.from_apps(apps))
    changes = detector.changes(graph=loader.graph)
    assert not changes, changes


# With a database


def _migrate(*target: str) -> None:
    from django.core.management import call_command

    call_command("migrate", *target, run_syncdb=not target, verbosity=0, skip_checks=True)


def _is_empty(project: Project) -> None:
    from django.db import connection

    labels = ("gql_chat_", *(f"{app}_" for app in project.apps))
    left = [name for name in connection.introspection.table_names() if name.startswith(labels)]
    assert not left, left


def _converse(project: Project) -> None:
    """Chat through the operations, with a signal of the project's, and look at what is stored."""
    from django.contrib.auth import get_user_model
    from django.db.models.signals import post_save
    from guardian.shortcuts import get_perms

    from gql_chat.models import get_model
    from gql_chat.models.rules import room_model
    from gql_chat.operations import EventHandler

    saved: Counter[str] = Counter()

    def count(sender: Any, created: bool, **kwargs: Any) -> None:
        saved[sender.__name__] += created

    for name in (*TABLES, *TYPES):
        assert get_model(name)._meta.label == project.models.get(name, f"gql_chat.{name}")
        # Held by this function, and forgotten with it.
        post_save.connect(count, sender=get_model(name))

    users: Any = get_user_model()._default_manager
    alice, bob = (users.create_user(name) for name in ("alice", "bob"))
    alices, bobs = EventHandler(alice.pk), EventHandler(bob.pk)
    alices.open_session("socket")
    group = alices.create_room("GroupChat", name="group", members=[bob.pk])
    pair = alices.create_room("OneToOneChat", members=[bob.pk])
    channel = alices.create_room("Channel", name="channel", members=[bob.pk])
    for room in (group, pair, channel):
        found = get_model("Room").objects.get(pk=room.pk)
        assert type(found) is type(room) is get_model(room.type)
        if room.type in project.declared:
            assert room.rules.title(room) == project.declared[room.type]
    assert set(get_perms(alice, group)) == set(group.rules.permissions)

    media = {"media_url": "https://x.test/a", "media_type": "file", "mime_type": "text/csv"}
    sent = alices.send_message(group.pk, "Hello", media=[media])
    reply = bobs.send_message(group.pk, "Hi", parent_message_id=sent.message_id)
    bobs.add_reaction(sent.message_id, "+1")
    bobs.add_reaction(sent.message_id, "-1")
    bobs.read_messages([sent.message_id])
    message = get_model("Message").objects.get(pk=sent.message_id)
    assert [each.reaction_content for each in message.reactions.all()] == ["-1"]
    assert [each.reader for each in message.read_receipts.all()] == [bob]
    (waiting,) = bobs.pending_notifications().values()
    assert [each.message for each in waiting] == [message]
    alices.acknowledge_messages([reply.message_id])
    (listed,) = (room for room in bobs.list_rooms() if room.pk == group.pk)
    assert listed.last_message.pk == reply.message_id
    assert saved == {
        **dict.fromkeys(("Session", *TYPES, "MessageMediaAsset", "ReadReceipt"), 1),
        "RoomProperty": 3,
        "Message": 2,
        "Reaction": 2,
        # Of two messages and two reactions.
        "ChatNotification": 4,
    }, saved

    if OWN_TYPE in project.declared:
        queue = alices.create_room(OWN_TYPE, name="queue", members=[bob.pk])
        alices.send_message(queue.pk, "Next, please")
        assert type(get_model("Room").objects.get(pk=queue.pk)) is room_model(OWN_TYPE)
        assert queue.pk in {room.pk for room in bobs.list_rooms()}
    for name in TABLES:
        rows = get_model(name).objects.all()
        assert rows.exists()
        if name in project.declared:
            assert {row.note for row in rows} == {project.declared[name]}
    get_model("Message").objects.filter(pk=reply.message_id).delete()
    get_model("Room").objects.all().delete()
    get_model("Session").objects.all().delete()
    assert not any(get_model(name).objects.exists() for name in TABLES)
    users.filter(pk__in=[alice.pk, bob.pk]).delete()


def _erase() -> None:
    """Forward a message, delete it, and erase both users: what they wrote goes everywhere."""
    from django.contrib.auth import get_user_model

    from gql_chat import erase_user
    from gql_chat.models import MessageCopy, StreamEvent, get_model
    from gql_chat.operations import EventHandler

    def logged(text: str) -> bool:
        return StreamEvent.objects.filter(payload__contains=text).exists()

    users: Any = get_user_model()._default_manager
    carol, dave, erin = (users.create_user(name) for name in ("carol", "dave", "erin"))
    carols, daves = EventHandler(carol.pk), EventHandler(dave.pk)
    group = carols.create_room("GroupChat", name="group", members=[dave.pk, erin.pk])
    channel = carols.create_room("Channel", name="channel", members=[erin.pk])
    media = {"media_url": "https://x.test/b", "media_type": "file", "mime_type": "text/csv"}
    source = daves.send_message(group.pk, "As it was", media=[media])
    forward = carols.send_message(channel.pk, "Look", forwarded_from_id=source.message_id)
    daves.edit_message(source.message_id, "As it became")
    assert logged("As it became")
    daves.delete_messages([source.message_id])
    assert not logged("As it became")
    copied = MessageCopy.objects.get()
    assert (copied.message_id, copied.sender_id) == (forward.message_id, dave.pk)
    assert "As it was" in copied.columns
    assert "https://x.test/b" in copied.columns

    assert logged('"carol"')
    erase_user(carol, "keep")
    assert not logged('"carol"')
    assert get_model("Message").objects.get(pk=forward.message_id).sender is None
    assert logged("As it was")
    erase_user(dave, "delete")
    assert not logged("As it was")
    assert not MessageCopy.objects.exists()
    erase_user(erin, "delete")
    assert not any(get_model(name).objects.exists() for name in TABLES)
    users.filter(pk__in=[carol.pk, dave.pk, erin.pk]).delete()
