"""Everything at once, and nothing lost, mixed up, leaked or stuck.

``CHAT_STRESS_SECONDS`` says how long everybody acts, ``CHAT_STRESS_SEED`` repeats the choices of a
run, ``CHAT_STRESS_WITHOUT`` names acts of the project's code to do without.
"""

import os
import sys

from tests.stress.conftest import MakeScenario
from tests.stress.report import raise_for, summary

SECONDS = float(os.environ.get("CHAT_STRESS_SECONDS", "5"))


async def test_everything_at_once(scenario: MakeScenario) -> None:
    run = scenario(SECONDS)
    sys.stdout.write(f"CHAT_STRESS_SEED={run.world.seed}\n")

    await run.run()

    sys.stdout.write(f"{summary(run.world)}\n")
    await raise_for(run.world)
