"""Settings that are declared: their type, their check and their line in the docs follow."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gql_chat.setting import (
    ClassSetting,
    Kind,
    NamesSetting,
    Setting,
    declared,
    flag,
    is_count,
    is_duration,
    limit,
    seconds,
    seconds_or_none,
)
from tests import settings_table


class Base:
    """Settings that read what a test gives them."""

    LOUD = flag(False, "Whether it is loud")

    def __init__(self, **given: Any) -> None:
        self._given = given

    def read(self, name: str) -> Any:
        return self._given[name]


class More(Base):
    """A declaration more than the others: nothing else is written for it."""

    MAX_PINS = limit(50, "Messages that may be pinned | at most", least=0)


def test_a_setting_is_read_on_an_instance_and_declared_on_the_class() -> None:
    assert More(MAX_PINS=7).MAX_PINS == 7
    assert More.MAX_PINS.default == 50
    assert More.MAX_PINS.name == "MAX_PINS"


def test_a_setting_cannot_be_assigned() -> None:
    with pytest.raises(AttributeError, match="MAX_PINS is read here"):
        More().MAX_PINS = 7  # type: ignore[misc]


def test_a_class_declares_what_its_bases_do_and_its_own_in_that_order() -> None:
    assert list(declared(More)) == ["LOUD", "MAX_PINS"]


def test_one_declaration_is_a_line_of_the_docs() -> None:
    before, after = (settings_table.tables(owner).splitlines() for owner in (Base, More))

    assert [line for line in after if line not in before] == [
        "| `MAX_PINS` | `50` | Messages that may be pinned \\| at most | no limit |"
    ]


def test_a_page_that_is_out_of_date_is_noticed() -> None:
    page = f"# Settings\n\n{settings_table.BEGIN}{settings_table.END}\nThe end.\n"
    written = settings_table.written(page, Base)

    assert settings_table.written(written, Base) == written
    assert settings_table.written(written, More) != written
    assert written.startswith("# Settings\n")
    assert written.endswith("The end.\n")


def test_mypy_knows_the_type_of_a_declaration(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text(
        "from typing import Any, assert_type\n"
        "from gql_chat.setting import Setting, flag, limit, seconds, seconds_or_none\n"
        "class Own:\n"
        "    FLAG = flag(True, '')\n"
        "    LIMIT = limit(1, '')\n"
        "    WAIT = seconds(1, '')\n"
        "    KEEP = seconds_or_none(None, '', none='', remedy='')\n"
        "    def read(self, name: str) -> Any: ...\n"
        "own = Own()\n"
        "assert_type(own.FLAG, bool)\n"
        "assert_type(own.LIMIT, int | None)\n"
        "assert_type(own.WAIT, float)\n"
        "assert_type(own.KEEP, float | None)\n"
        "assert_type(Own.LIMIT, Setting[int | None])\n"
        "own.LIMITS\n"
    )
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--config-file=",
        "--strict",
        "--follow-imports=silent",
        str(file),
    ]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert 'own.py:15: error: "Own" has no attribute "LIMITS"' in done.stdout
    assert done.stdout.count("error:") == 1, done.stdout


@pytest.mark.parametrize(
    ("setting", "right", "wrong"),
    [
        (flag(True, ""), (True, False), (None, 0, 1, "True")),
        (limit(1, ""), (1, 10**9, None), (0, -1, 1.5, True, "1", [])),
        (limit(1, "", least=0), (0, 1, None), (-1, False)),
        (seconds(1, ""), (1, 0.5), (None, 0, -1, True, "1", float("inf"), float("nan"))),
        (seconds_or_none(1, "", none="", remedy=""), (0.5, None), (0, "2 s", float("nan"))),
    ],
)
def test_a_kind_tells_right_values_from_wrong_ones(
    setting: Setting[Any], right: tuple[Any, ...], wrong: tuple[Any, ...]
) -> None:
    assert setting.kind is not None
    assert [value for value in right if not setting.kind.holds(value)] == []
    assert [value for value in wrong if setting.kind.holds(value)] == []


def test_numbers_of_other_kinds_are_none() -> None:
    assert not is_count(True)
    assert not is_duration(False)
    assert is_count(3, 3)
    assert not is_count(2, 3)


def test_a_default_is_shown_as_it_is_written() -> None:
    path = Setting("messaging/", "", Kind(bool, ""))

    assert path.shown == '`"messaging/"`'
    assert ClassSetting("a.B", "").shown == '`"a.B"`'
    assert limit(10_000, "", shown="`10_000`").shown == "`10_000`"
    assert NamesSetting(("Room",), "gql_chat.", "").default == {"Room": "gql_chat.Room"}
