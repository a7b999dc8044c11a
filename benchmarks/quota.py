"""Quotas: a process is held to a part of a core, so that it has as much of it as it would alone.

On few cores several workers take time from each other, and from the servers that they use. Held to
a small part each, none of them does: what a further worker then brings is what it brings where each
has a core of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
"""Where Linux shows its control groups."""

PERIOD = 10_000
"""Microseconds, of each of which a process may use its part."""


def is_possible() -> bool:
    """Tell whether processes can be held to a part of a core here: on Linux, as root."""
    try:
        group = _make("chat-bench-trial")
    except OSError:
        return False
    group.rmdir()
    return True


@contextmanager
def held_to(share: float, pid: int) -> Iterator[None]:
    """Let a process use so much of a core, with all of its threads, until the end of the block.

    Args:
        share: the part, as 0.25 for a quarter.
        pid: the process; it may end meanwhile.

    Raises:
        OSError: it cannot be done here; see `is_possible`.
    """
    group = _make(f"chat-bench-{pid}")
    quota = int(share * PERIOD)
    if (group / "cpu.max").exists():
        (group / "cpu.max").write_text(f"{quota} {PERIOD}")
    else:
        (group / "cpu.cfs_period_us").write_text(str(PERIOD))
        (group / "cpu.cfs_quota_us").write_text(str(quota))
    (group / "cgroup.procs").write_text(str(pid))
    try:
        yield
    finally:
        for member in (group / "cgroup.procs").read_text().split():
            (group.parent / "cgroup.procs").write_text(member)
        group.rmdir()


def _make(name: str) -> Path:
    """Make a control group that limits processor time, of the kernel's first version or second."""
    parent = GROUPS / "cpu" if (GROUPS / "cpu").is_dir() else GROUPS
    if (parent / "cgroup.subtree_control").exists():
        (parent / "cgroup.subtree_control").write_text("+cpu")
    group = parent / name
    group.mkdir(exist_ok=True)
    return group
