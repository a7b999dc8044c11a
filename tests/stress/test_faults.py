"""Each fault, brought back once: the scenario has to find it, by an invariant that is its own.

It runs on demand (``python -m tests.run stress-faults``): all of them take minutes.
"""

import os

import pytest

from tests.configuration import Configuration
from tests.stress.conftest import MakeScenario
from tests.stress.faults import FOUND_BY
from tests.stress.report import StressError, raise_for

SECONDS = float(os.environ.get("CHAT_STRESS_SECONDS", "20"))

#: SQLite has one writer, so it has no race between two.
RACES = frozenset(
    {
        "locks_crossed",
        "shared_cleaner",
        "acknowledge_without_lock",
        "client_id_twice",
        "unlocked_join",
    }
)


@pytest.mark.parametrize("fault", FOUND_BY)
async def test_a_fault_is_found(
    fault: str, scenario: MakeScenario, configuration: Configuration
) -> None:
    if fault in RACES and configuration.database == "sqlite":
        pytest.skip(f"{fault} needs a database with several writers")
    run = scenario(SECONDS, fault=fault)

    await run.run()

    with pytest.raises(StressError) as caught:
        await raise_for(run.world)
    assert caught.value.invariants & FOUND_BY[fault], str(caught.value)
