"""What a failure of the stress test says."""

from __future__ import annotations

from tests.stress.journal import Violation
from tests.stress.scenario import last_events
from tests.stress.world import World


class StressError(AssertionError):
    """The scenario found what must not be.

    Attributes:
        invariants: the names of the invariants that are broken.
    """

    def __init__(self, text: str, invariants: set[str]) -> None:
        super().__init__(text)
        self.invariants = invariants


async def raise_for(world: World) -> None:
    """Raise what the journal holds, if it holds anything.

    Raises:
        StressError: with each violation, and the last events of whom and what it is about.
    """
    journal = world.journal
    if not journal.violations:
        return
    lines = [f"CHAT_STRESS_SEED={world.seed} repeats this run.", summary(world), ""]
    counts = ", ".join(f"{name}: {count}" for name, count in journal.counts.items())
    lines += [f"Broken: {counts}", ""]
    shown: set[str] = set()
    for violation in journal.violations:
        lines.append(f"[{violation.invariant}] {violation.what}")
    for violation in journal.violations:
        lines += await _about(world, violation, shown)
    raise StressError("\n".join(lines), set(journal.counts))


def summary(world: World) -> str:
    """What was done, in two lines."""
    done = sum(world.journal.done.values())
    refused = ", ".join(f"{what}: {n}" for what, n in sorted(world.journal.refusals.items()))
    closes = ", ".join(f"{code}: {n}" for code, n in sorted(world.journal.closes.items()))
    each = ", ".join(f"{what}: {n}" for what, n in sorted(world.journal.done.items()) if n)
    return f"{done} done ({each}). Refused: {refused}. Closed: {closes}."


async def _about(world: World, violation: Violation, shown: set[str]) -> list[str]:
    """The last events of whom and what a violation is about, each shown once."""
    lines: list[str] = []
    for about in violation.about:
        if about in shown or not about:
            continue
        shown.add(about)
        deeds = world.journal.last(about.removeprefix("room:"))
        if deeds:
            lines += ["", f"The last deeds of or in {about}:", *(f"  {deed}" for deed in deeds)]
        stream = about if ":" in about else f"room:{about}"
        events = await last_events(stream)
        if events:
            lines += ["", f"The end of {stream}:", *(f"  {event}" for event in events)]
        for person in world.people:
            if person.name == about:
                for device in [*person.retired, *person.devices]:
                    lines += ["", f"The last frames of {device.name}:"]
                    lines += [f"  {frame}" for frame in device.last_frames]
    return lines
