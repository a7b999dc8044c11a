"""Projects that swap models: plain ``makemigrations`` and ``migrate``, and chat works.

Every subset of the tables is planned: its migrations are made and followed step by step without a
database. A part of them lives, with a database. There, any two of the tables occur in all
four combinations. With ``CHAT_TEST_SUBSETS``, which names a layout, every subset lives in it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import combinations, cycle, product
from typing import Any

import pytest

from tests.projects.project import OWN_TYPE, TABLES, TYPES, USER, Project
from tests.projects.scenario import IN_MEMORY
from tests.servers import ROOT

Swap = tuple[str, ...]


def in_one_app(swap: Swap) -> Project:
    """All in one app, with proxies of the room types."""
    return Project({"shop": (*swap, *TYPES, OWN_TYPE)})


def in_two_apps(swap: Swap) -> Project:
    """Spread over two apps, of which one comes before the package's by name and one after."""
    board, shop = swap[::2], swap[1::2]
    types = (*TYPES, OWN_TYPE) if "Room" in swap or len(swap) % 3 else (OWN_TYPE,)
    if len(swap) % 2:
        board += types
    else:
        shop += types
    return Project({"board": board, "shop": shop})


def subsets(names: Swap) -> list[Swap]:
    """All of them, the empty one first."""
    return [
        tuple(name for name, taken in zip(names, row, strict=True) if taken)
        for row in product((False, True), repeat=len(names))
    ]


def any_two() -> list[Swap]:
    """Six subsets of the tables in which any two occur in all four combinations.

    The first has no table, and each table is in three of the other five. Two triples of five have
    one in common at least, and each has one that the other has not.
    """
    triples = dict(zip(TABLES, combinations(range(1, 6), 3), strict=False))
    return [tuple(name for name in TABLES if row in triples[name]) for row in range(6)]


LAYOUTS = {"one-app": in_one_app, "two-apps": in_two_apps}
EVERY = {name: [layout(swap) for swap in subsets(TABLES)] for name, layout in LAYOUTS.items()}
#: Parts that are small enough for every run: the layouts take turns.
PLANNED = [layout(swap) for layout, swap in zip(cycle(LAYOUTS.values()), subsets(TABLES))]
LIVING = [layout(swap) for layout, swap in zip(cycle(LAYOUTS.values()), any_two())]
#: Proxies beside a message model of the project's own, whose app the package waits for.
TYPED = [Project({"shop": ("Message", *types)}) for types in ((), TYPES[1:2], TYPES)]
#: All beside a user model of the project's own.
WITH_USER = [Project({"shop": (USER, *swap)}) for swap in ((), (*TABLES, *TYPES))]
#: A handful for PostgreSQL.
SAMPLE = [TYPED[-1], WITH_USER[-1]]

#: One configuration is enough for what needs no database.
ON_SQLITE = os.environ["CHAT_TEST_DATABASE"] == "sqlite"


def chosen() -> list[Project]:
    """The projects that live: every subset in the layout that the environment names, or a part."""
    if layout := os.environ.get("CHAT_TEST_SUBSETS"):
        return [*EVERY[layout], *TYPED, *WITH_USER]
    return [*LIVING, *TYPED, *WITH_USER] if ON_SQLITE else SAMPLE


Try = Callable[..., None]


@pytest.fixture(scope="module")
def try_out() -> Iterator[Try]:
    """Plans a project, or lets it live on a database; fails the test with what went wrong."""
    # Neither this run's project is its, nor is measured what it does.
    ours = ("DJANGO_SETTINGS_MODULE", "COVERAGE_")
    environment = {name: os.environ[name] for name in os.environ if not name.startswith(ours)}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.projects.runner"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as runner:
        assert runner.stdin is not None
        assert runner.stdout is not None
        asks, answers = runner.stdin, runner.stdout

        def try_out(project: Project, database: dict[str, Any] | None = None) -> None:
            asks.write(json.dumps({"apps": project.apps, "database": database}) + "\n")
            failure = json.loads(answers.readline())
            if failure is not None:
                pytest.fail(failure, pytrace=False)

        yield try_out


if ON_SQLITE:

    @pytest.mark.parametrize("project", PLANNED, ids=str)
    def test_migrations_of_every_subset_follow_each_other(project: Project, try_out: Try) -> None:
        try_out(project)


@pytest.mark.parametrize("project", chosen(), ids=str)
def test_a_project_migrates_and_chats_there_and_back(
    project: Project, database: dict[str, Any], try_out: Try
) -> None:
    try_out(project, database)


def test_a_project_that_is_wrong_fails(try_out: Try) -> None:
    """What the tests above rely on."""
    with pytest.raises(pytest.fail.Exception, match=r"'OneToOneChat'.*does not exist"):
        try_out(Project({"shop": ("Room",)}), IN_MEMORY)
