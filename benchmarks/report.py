"""Results as text: the table, the comparison, and what the documentation shows of them."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.figures import FIGURES, Figure
from benchmarks.results import ROOT, TOLERANCE, Result

#: What is shown of each bench: its metrics, with their names.
_SHOWN = {
    "deliveries_per_s": "deliveries/s",
    "messages_per_s": "messages/s",
    "reactions_per_s": "reactions/s",
    "receipts_per_s": "receipts/s",
    "connects_per_s": "sockets/s",
    "heartbeat_heartbeats_per_s": "heartbeats/s",
    "p50_ms": "p50, ms",
    "p99_ms": "p99, ms",
    "list_ms": "list, ms",
    "page_ms": "page, ms",
    "info_ms": "details, ms",
    "resume_ms": "resume, ms",
    "long_page_ms": "page 1 of the long room, ms",
    "long_oldest_page_ms": "its oldest page, ms",
    "kib_per_socket": "KiB per socket",
    "setup_s": "seconds to set up",
    "routing_s": "seconds until the routing is imported",
    "round_trip_us": "µs a round trip",
    "network_us": "µs of the proxy's processor time",
}


def number(value: float) -> str:
    """Return a number with as many digits as mean something."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table."""
    header = list(header)
    lines = [header, ["---"] * len(header), *(list(row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def figures_table(result: Result) -> str:
    """Return every figure that was measured, with what was promised."""
    rows = []
    for figure in FIGURES:
        values = figure.values(result.benches)
        if values:
            value = statistics.median(values)
            rows.append(
                [
                    figure.name,
                    f"**{number(value)}** {figure.unit}".strip(),
                    f"{number(min(values))} to {number(max(values))}",
                    _promise(figure),
                    ("yes" if figure.holds(value) else "**no**") if figure.wanted else "",
                ]
            )
    return table(["figure", "median", "range", "wanted", "kept"], rows)


def _promise(figure: Figure) -> str:
    if figure.wanted is None:
        return ""
    bound = "at least" if figure.better == "more" else "at most"
    beyond = "" if figure.aim is None else f" (aim {number(figure.aim)})"
    return f"{bound} {number(figure.wanted)} {figure.unit}".strip() + beyond


def measurements_table(result: Result) -> str:
    """Return the medians of what was measured, by bench and target."""
    rows = []
    for bench, contenders in result.benches.items():
        for contender, runs in contenders.items():
            medians = [
                f"{number(statistics.median(run[metric] for run in runs))} {shown}"
                for metric, shown in _SHOWN.items()
                if runs and metric in runs[0]
            ]
            rows.append([bench, contender, "; ".join(medians)])
    return table(["bench", "target", "medians"], rows)


def costs_table(result: Result) -> str:
    """Return what the time of a message is made of."""
    rows = [[part, f"{share:.0%}"] for part, share in result.costs.items()]
    return table(["part", "share"], rows)


def plans_table(result: Result) -> str:
    """Return how each statement of each hot path reads."""
    rows = []
    for path, plans in result.plans.items():
        total = sum(plan["milliseconds"] for plan in plans)
        rows.append([f"**{path}**", "", f"**{total:.1f}**"])
        for plan in plans:
            reads = ", ".join(f"`{node}`" for node in plan["nodes"])
            rows.append([f"`{plan['subject']}`", reads, f"{plan['milliseconds']:.2f}"])
    return table(["path, statement", "reads with", "ms"], rows)


def whole_reads(plans: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Return what hot paths read as a whole though it is not small."""
    return [
        f"{path}: {plan['subject']} reads all of {', '.join(plan['read_whole'])}"
        for path, found in plans.items()
        for plan in found
        if plan["read_whole"]
    ]


def machine_line(result: Result) -> str:
    """Return where the result was made."""
    machine = result.machine
    versions = ", ".join(f"{name} {found}" for name, found in result.versions.items())
    return (
        f"{machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}, "
        f"Python {machine['python']}; {versions}. Medians of {result.pairs} rounds."
    )


def compare(now: Result, before: Result) -> tuple[str, list[str]]:
    """Compare two results.

    Returns:
        A table of what changed, and a warning for each figure that is worse by more than
        `TOLERANCE` or breaks what was promised.
    """
    rows, warnings = [], []
    for figure in FIGURES:
        new, old = figure.median(now.benches), figure.median(before.benches)
        if new is None:
            continue
        if not figure.holds(new):
            warnings.append(f"{figure.name}: {number(new)}, {_promise(figure)} is wanted")
        if old is None:
            continue
        change = figure.change(new, old)
        rows.append([figure.name, number(old), number(new), f"{change:+.0%}"])
        if change < -TOLERANCE:
            warnings.append(f"{figure.name}: {number(old)} became {number(new)} ({change:+.0%})")
    return table(["figure", "committed", "now", "better by"], rows), warnings


def sections(result: Result) -> dict[str, str]:
    """Return what the documentation shows of a result, by the names of its markers."""
    return {
        "machine": machine_line(result),
        "figures": figures_table(result),
        "measurements": measurements_table(result),
        "costs": costs_table(result),
        "plans": plans_table(result),
    }


#: The pages that show something of the results.
PAGES = ("docs/benchmarks.md", "docs/query-plans.md", "docs/scale.md")


def fill_in(text: str, shown: dict[str, str]) -> str:
    """Return a page with each marked section replaced by what is to be shown in it."""

    def replace(match: re.Match[str]) -> str:
        return f"{match[1]}\n{shown[match[2]]}\n{match[3]}" if match[2] in shown else match[0]

    return re.sub(r"(<!-- begin (\w+) -->).*?(<!-- end -->)", replace, text, flags=re.DOTALL)


def fill_in_pages(shown: dict[str, str], root: Path = ROOT) -> None:
    """Bring the pages of the documentation up to a result."""
    for page in PAGES:
        path = root / page
        path.write_text(fill_in(path.read_text(), shown))
