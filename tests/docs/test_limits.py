"""The page of limits: it has every limit, with the default that holds."""

import re
from pathlib import Path

import pytest

from gql_chat.conf import ChatSettings
from gql_chat.setting import declared

PAGE = (Path(__file__).parents[2] / "docs" / "limits.md").read_text()

LIMITS = {name: setting for name, setting in declared(ChatSettings).items() if setting.none}

#: How the page writes numbers.
UNITS = {1024: "KiB", 1024 * 1024: "MiB"}


def written(value: int) -> str:
    """Write a number as the page does: `1,000`, `8 KiB`, `1 MiB`."""
    for unit, name in sorted(UNITS.items(), reverse=True):
        if value % unit == 0:
            return f"{value // unit} {name}"
    return f"{value:,}"


#: Their numbers are on the page of the endpoint; and days are no seconds.
ELSEWHERE = re.compile("GRAPHQL_|EVENT_LOG_RETENTION")


@pytest.mark.parametrize("name", LIMITS)
def test_the_page_has_every_limit_with_its_default(name: str) -> None:
    rows = [line for line in PAGE.splitlines() if re.match(rf"\|[^|]+\|[^|]*`{name}`", line)]
    assert rows
    match LIMITS[name].default:
        case _ if ELSEWHERE.match(name):
            return
        case None:
            default = "none"
        case {"events": events}:
            default = f"{events:,} at once"
        case number:
            default = written(number)

    assert all(default in row for row in rows), rows
