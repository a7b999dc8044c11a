"""Fill the demo's database: three users, a room of each type, some messages."""

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand
from django.db import transaction

from example.demo_users import DEMO_USERS, PASSWORD, DemoUser
from gql_chat.models import Channel, GroupChat, Message, OneToOneChat, Room

LUNCH = "Lunch"
ANNOUNCEMENTS = "Announcements"


class Command(BaseCommand):
    """Adds what is missing and leaves alone what is there, so that it can run at every start."""

    help = "Adds the demo's users, rooms and messages where they are missing."

    def handle(self, *args: Any, **options: Any) -> None:
        """Seed everything or nothing, and say in one line what was added."""
        with transaction.atomic():
            before = _counts()
            alice, bob, carol = (_user(demo_user) for demo_user in DEMO_USERS)
            _seed_one_to_one(alice, bob)
            _seed_group(alice, bob, carol)
            _seed_channel(carol, alice, bob)
            after = _counts()
        added = [f"{after[noun] - before[noun]} {noun}" for noun in after]
        if options["verbosity"] and after != before:
            self.stdout.write(f"Seeded {', '.join(added)}.")


def _counts() -> dict[str, int]:
    return {
        "users": User.objects.count(),
        "rooms": Room.objects.count(),
        "messages": Message.objects.count(),
    }


def _user(demo_user: DemoUser) -> User:
    """Return the demo user, created where missing; one who is there keeps a changed password."""
    user = User.objects.filter(username=demo_user.username).first()
    if user is None:
        user = User.objects.create_user(
            demo_user.username,
            demo_user.email,
            PASSWORD,
            first_name=demo_user.first_name,
            last_name=demo_user.last_name,
            is_staff=demo_user.is_staff,
            is_superuser=demo_user.is_staff,
        )
    return user


def _say(room: Room, *lines: tuple[User, str]) -> None:
    for sender, content in lines:
        Message.objects.create(room=room, sender=sender, content=content)


def _seed_one_to_one(alice: User, bob: User) -> None:
    chat = OneToOneChat.objects.start(alice, bob)
    if Message.objects.filter(room=chat).exists():
        return
    _say(
        chat,
        (alice, "Hi Bob, do you see this at once?"),
        (bob, "Yes, before I could blink."),
        (alice, "Then open a second browser and answer me there."),
    )


def _seed_group(alice: User, bob: User, carol: User) -> None:
    if GroupChat.objects.filter(name=LUNCH, creator=alice).exists():
        return
    group = GroupChat.objects.create(
        name=LUNCH, description="Where and when, every day.", creator=alice
    )
    group.participants.add(bob, carol)
    _say(
        group,
        (alice, "Soup or noodles today?"),
        (carol, "Noodles, at half past twelve."),
        (bob, "Noodles. I'll be five minutes late."),
        (alice, "We'll order for you."),
    )


def _seed_channel(carol: User, alice: User, bob: User) -> None:
    if Channel.objects.filter(name=ANNOUNCEMENTS, creator=carol).exists():
        return
    channel = Channel.objects.create(
        name=ANNOUNCEMENTS,
        description="News for everyone; only moderators write.",
        creator=carol,
        is_public=True,
    )
    channel.subscribers.add(alice, bob)
    _say(
        channel,
        (carol, "Welcome! In a channel only its creator and moderators write."),
        (carol, "The coffee machine is repaired."),
    )
