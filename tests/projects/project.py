"""Projects that swap models of chat, and their code, as a user of the package would write it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

#: The models with tables that a project may swap.
TABLES = (
    "Room",
    "Message",
    "Session",
    "RoomProperty",
    "MessageMediaAsset",
    "ReadReceipt",
    "ChatNotification",
    "Reaction",
)
#: The room types, which are proxies.
TYPES = ("OneToOneChat", "GroupChat", "Channel")
#: A room type of the project's own, with a model that points at it.
OWN_TYPE = "SupportQueue"
#: A user model of the project's own.
USER = "User"

_HEAD = """
from django.contrib.auth.models import AbstractUser
from django.db import models

from gql_chat import models as chat
from gql_chat.models import rules as rooms
"""

_USER = """
class User(AbstractUser):
    pass
"""

_TABLE = """
class {name}(chat.Abstract{name}):
    note = models.CharField(max_length=16, default="{app}")
"""

_TYPE = """
class {name}Rules(rooms.{rules}):
    def title(self, room):
        return "{app}"


class {name}(chat.{name}Mixin, {room}):
    rules = {name}Rules()
    objects = chat.{manager}()

    class Meta:
        proxy = True
"""

_RULES = {"OneToOneChat": "OneToOneRules", "GroupChat": "GroupRules", "Channel": "ChannelRules"}

_OWN_TYPE = """
class SupportQueueRules(rooms.RoomRules):
    name = "SupportQueue"
    leaders = "admins"
    leader_role = rooms.Role.ADMIN


@rooms.register
class SupportQueue({room}):
    rules = SupportQueueRules()
    participants = chat.Members()

    class Meta:
        proxy = True


class Ticket(models.Model):
    queue = models.ForeignKey(SupportQueue, models.CASCADE)
"""


@dataclass(frozen=True)
class Project:
    """A project.

    Attributes:
        apps: for each app of its own, the names of the models that it declares: of `TABLES` and
            `TYPES`, `OWN_TYPE` and `USER`.
    """

    apps: dict[str, tuple[str, ...]]

    def __str__(self) -> str:
        return " ".join(f"{app}({','.join(names)})" for app, names in self.apps.items()) or "none"

    @property
    def declared(self) -> dict[str, str]:
        """What it declares, each with its app."""
        return {name: app for app, names in self.apps.items() for name in names}

    @property
    def models(self) -> dict[str, str]:
        """The setting ``MODELS``."""
        swaps = {*TABLES, *TYPES}
        return {name: f"{app}.{name}" for name, app in self.declared.items() if name in swaps}

    def write(self, directory: Path) -> None:
        """Write its apps, without migrations."""
        for app, names in self.apps.items():
            package = directory / app
            (package / "migrations").mkdir(parents=True)
            (package / "__init__.py").touch()
            (package / "migrations" / "__init__.py").touch()
            (package / "models.py").write_text("\n".join(self._source(app, names)))

    def _source(self, app: str, names: tuple[str, ...]) -> Iterable[str]:
        yield _HEAD
        owner = self.declared.get("Room")
        room = "chat.Room" if owner is None else "Room"
        if owner not in (None, app):
            yield f"from {owner}.models import Room"
        if USER in names:
            yield _USER
        for name in TABLES:
            if name in names:
                yield _TABLE.format(name=name, app=app)
        for name in TYPES:
            if name in names:
                manager = "PairManager" if name == "OneToOneChat" else "RoomManager"
                yield _TYPE.format(
                    name=name, app=app, room=room, rules=_RULES[name], manager=manager
                )
        if OWN_TYPE in names:
            yield _OWN_TYPE.format(room=room)
