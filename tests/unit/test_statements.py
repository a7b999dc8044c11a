"""Statements whose SQL is kept."""

import gc
import threading
import weakref
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connections

from gql_chat.models.statements import Statement, find_by


def test_what_is_kept_keeps_no_connection_of_the_thread_that_came_first(
    committed_database: None,
) -> None:
    users: Statement[Any] = find_by(lambda: get_user_model()._default_manager.all(), "id")
    seen: list[weakref.ref[Any]] = []

    def ask() -> None:
        seen.append(weakref.ref(connections["default"]))
        assert users.first(0) is None
        connections.close_all()

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    del thread
    gc.collect()

    (connection,) = seen
    assert connection() is None
    assert users.first(0) is None
