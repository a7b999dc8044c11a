"""`manage.py erase_user` and `manage.py export_user`."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command

from gql_chat import send_message
from gql_chat.models import GroupChat, Message

pytestmark = pytest.mark.django_db


def run(command: str, *arguments: str, **options: Any) -> str:
    """Run a command; return what it says."""
    out = StringIO()
    call_command(command, *arguments, stdout=out, **options)
    return out.getvalue()


def test_a_user_is_erased_with_progress(group: GroupChat, bob: Any) -> None:
    for number in range(3):
        send_message(group, f"{number}", sender=bob)

    said = run("erase_user", bob.username, "--messages=blank", "--batch=2")

    assert "messages: 2 so far" in said
    assert "messages: 3 so far" in said
    assert "messages: 3 erased" in said
    assert said.endswith(f"user {bob.pk}: erased from chat\n")
    assert list(Message.objects.values_list("sender", "content")) == [(None, "")] * 3
    assert f"user {bob.pk}: erased from chat\n" in run("erase_user", str(bob.pk))


def test_a_user_is_exported_to_a_file_or_the_terminal(
    group: GroupChat, bob: Any, tmp_path: Path
) -> None:
    send_message(group, "mine", sender=bob)
    path = tmp_path / "bob.jsonl"

    said = run("export_user", bob.username)
    run("export_user", str(bob.pk), output=str(path))

    assert path.read_text(encoding="utf-8") == said
    kinds = {json.loads(line)["kind"] for line in said.splitlines()}
    assert kinds == {"user", "room", "message"}


def test_a_name_that_is_another_users_key_has_to_be_said_which(bob: Any) -> None:
    named = get_user_model().objects.create_user(str(bob.pk))

    with pytest.raises(CommandError, match="--by"):
        run("export_user", str(bob.pk))

    for way, user in (("username", named), ("id", bob)):
        first = run("export_user", str(bob.pk), by=way).splitlines()[0]
        assert json.loads(first)["id"] == user.pk


@pytest.mark.parametrize("name", ["nobody-at-all", "123456789", "9" * 40])
def test_an_unknown_user_is_an_error(db: None, name: str) -> None:
    with pytest.raises(CommandError, match="no user"):
        run("erase_user", name)


def test_a_batch_out_of_range_is_an_error(bob: Any) -> None:
    with pytest.raises(CommandError, match="batch"):
        run("erase_user", bob.username, batch=0)
