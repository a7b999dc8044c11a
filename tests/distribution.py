"""How tests are handed out to several processes (``pytest -n 3 --dist=loadfile``).

pytest-django puts the tests that work in a transaction before those that commit. pytest-xdist hands
out whole files, so a file with both kinds would commit before the transactions of other files have
run in its process, and these count rows. Here such a file is handed out in two parts.
"""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling


def _file(nodeid: str) -> str:
    return nodeid.split("::", 1)[0]


class PartScheduling(LoadFileScheduling):
    """Hands out what stands together of a file, in the order of the collection."""

    def __init__(self, *arguments: Any) -> None:
        """Take what pytest-xdist gives each of its schedulers."""
        super().__init__(*arguments)
        self._parts: dict[str, str] = {}
        # By default the parts with the most tests come first.
        self.config.option.loadscopereorder = False

    def schedule(self) -> None:
        """Begin, when every process has collected its tests."""
        if not self._parts:
            self._parts = parts(next(iter(self.registered_collections.values())))
        super().schedule()

    def _split_scope(self, nodeid: str) -> str:
        # Private, and what each scheduler of pytest-xdist overrides: tests/harness has a test that
        # notices when it is asked no more.
        return self._parts[nodeid]


def parts(nodeids: Iterable[str]) -> dict[str, str]:
    """Name for each test the part of its file that it is handed out with."""
    runs = enumerate(groupby(nodeids, _file))
    return {nodeid: f"{file} {number}" for number, (file, run) in runs for nodeid in run}


@pytest.hookimpl
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> PartScheduling | None:
    """Hand out by parts of files where files are asked for."""
    return PartScheduling(config, log) if config.getvalue("dist") == "loadfile" else None
