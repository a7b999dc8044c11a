"""What the time of a message goes into: stacks of the server, sampled while groups talk."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvloop

from benchmarks.servers import Target, Workshop
from benchmarks.sites.frames import FIRST_USER

#: Samples per second.
RATE = 100

#: Per cent of the picture's width under which a frame is left out of it.
NARROW = 0.25

#: Where a sample counts: for the innermost frame that one of these matches, in this order.
PARTS = {
    "database: statements and commits": (r"django/db/backends/\w+/base\.py|psycopg"),
    "Django's ORM": r"django/db/",
    "Django's signals": r"django/dispatch/",
    "GraphQL": r"graphql/|strawberry|gql_chat/schema/",
    "cleaning the content": r"bleach/|sanitize\.py|html5lib|nh3",
    "permissions": r"guardian/|permissions\.py",
    "writing to sockets": r"uvicorn/|websockets/|outbox\.py",
    "the hub": r"event_bridge/hub/",
    "frames in and out": r"event_bridge/",
    "operations, streams, rendering": r"gql_chat/(?!threads)",
    "event loop and threads": r"asyncio/|threading|threads\.py|queue|uvloop|selectors",
}

OTHER = "everything else"


def record(workshop: Workshop, seconds: int, svg: Path) -> dict[str, float]:
    """Write a flame graph; return each part's share of the time.

    Args:
        workshop: where the server runs.
        seconds: how long each of the two recordings takes.
        svg: where the flame graph goes.

    Raises:
        OSError: there is no py-spy.
        CalledProcessError: it may not look into another process here.
    """
    stacks = workshop.directory / "stacks.txt"
    svg.parent.mkdir(parents=True, exist_ok=True)
    with workshop.ours(name="flame") as target, _talking(target):
        _spy(target, seconds, "raw", stacks)
        _spy(target, seconds, "flamegraph", svg)
    svg.write_text(shorten(_entitle(prune(svg.read_text()))))
    return share_out(stacks.read_text())


@contextmanager
def _talking(target: Target) -> Iterator[None]:
    """Let groups talk, again and again, until the end of the block."""
    from benchmarks.scenarios import chatter

    over = threading.Event()
    begun = threading.Event()

    def talk() -> None:
        first = FIRST_USER
        while not over.is_set():
            uvloop.run(chatter(target, first, sockets=20, messages=100))
            begun.set()
            first += 20

    talking = threading.Thread(target=talk, daemon=True)
    talking.start()
    begun.wait()
    try:
        yield
    finally:
        over.set()
        talking.join()


def _spy(target: Target, seconds: int, kind: str, output: Path) -> None:
    (pid,) = target.pids["worker"]
    command = ["py-spy", "record", "--pid", str(pid), "--duration", str(seconds)]
    command += ["--rate", str(RATE), "--format", kind, "--output", str(output), "--nonblocking"]
    # Beside this Python: the environment need not be activated.
    beside = Path(sys.executable).with_name("py-spy")
    subprocess.run(command, executable=beside, check=True, capture_output=True)


def _entitle(text: str) -> str:
    """Return a flame graph with a title of its own; py-spy's is its command, paths and all."""
    return re.sub(r'(<text id="title"[^>]*>)[^<]*', r"\1A server while groups talk", text)


_FRAME = re.compile(
    r'<g><title>[^<]*</title><rect x="[^"]*" y="[^"]*" width="([\d.]+)%"[^>]*/>'
    r"<text[^>]*>[^<]*</text></g>"
)


def prune(svg: str) -> str:
    """Return a flame graph of py-spy's without the frames that are too narrow to be seen."""
    return _FRAME.sub(lambda frame: frame[0] if float(frame[1]) >= NARROW else "", svg)


_LABEL = re.compile(r"(<title>|<text[^>]*>)([^<]*)")

#: A path from the root on: to where packages are installed, or to the file's folder. py-spy cuts
#: long labels off.
_PATH = re.compile(r"(?<![\w.])/(?:[^\s()]*\.\.$|[^\s()]*/site-packages/|[^\s()]*/)")


def shorten(svg: str) -> str:
    """Return a flame graph of which no label says where on the machine a file is.

    py-spy says it of what it takes for a file, where it read a frame that was about to change.
    """
    return _LABEL.sub(lambda label: label[1] + _PATH.sub("", label[2]), svg)


def share_out(stacks: str) -> dict[str, float]:
    """Return each part's share of the samples, the largest first.

    Args:
        stacks: lines of frames, the outermost first, with `;` between them, and a count.
    """
    patterns: list[tuple[str, Callable[[str], object]]] = [
        (part, re.compile(pattern).search) for part, pattern in PARTS.items()
    ]
    samples: Counter[str] = Counter()
    for line in stacks.splitlines():
        stack, _, count = line.rpartition(" ")
        samples[_part_of(stack, patterns)] += int(count)
    total = samples.total()
    return {part: count / total for part, count in samples.most_common()}


def _part_of(stack: str, patterns: list[tuple[str, Callable[[str], object]]]) -> str:
    for frame in reversed(stack.split(";")):
        for part, matches in patterns:
            if matches(frame):
                return part
    return OTHER
