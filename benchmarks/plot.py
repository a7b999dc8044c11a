"""The plot: every figure that was promised, beside its bound."""

from __future__ import annotations

import statistics
from pathlib import Path

from benchmarks.figures import FIGURES, Figure
from benchmarks.results import Result


def draw(result: Result, path: Path) -> None:
    """Write the plot as SVG.

    A bar shows how many times its bound a figure is, so that all bars are good beyond 1; the
    lines in the bars go from the worst round to the best.
    """
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    # The same results give the same file.
    mpl.rcParams.update({"svg.hashsalt": "benchmarks", "svg.fonttype": "none", "font.size": 8})
    measured = [(figure, figure.values(result.benches)) for figure in FIGURES if figure.wanted]
    shown = [
        (figure, [_times_bound(figure, value) for value in values])
        for figure, values in reversed(measured)
        if values
    ]
    drawing, axes = pyplot.subplots(figsize=(9, 0.26 * len(shown) + 0.8), layout="constrained")
    for place, (_, times) in enumerate(shown):
        median = statistics.median(times)
        colour = "#2f7d4f" if median >= 1 else "#b3402e"
        axes.barh(place, median, color=colour, height=0.6)
        axes.plot([min(times), max(times)], [place, place], color="black", linewidth=1)
    axes.axvline(1, color="black", linewidth=0.8, linestyle="--")
    axes.set_xscale("log")
    axes.set_yticks(range(len(shown)), [figure.name for figure, _ in shown])
    axes.set_xlabel("times what was promised (right of the dashed line: kept)")
    path.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(path, format="svg", metadata={"Date": None})
    pyplot.close(drawing)


def _times_bound(figure: Figure, value: float) -> float:
    assert figure.wanted is not None
    if figure.better == "more":
        return value / figure.wanted
    # A difference may be next to nothing, or below.
    return figure.wanted / max(value, figure.wanted / 100)
