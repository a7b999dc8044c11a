"""Processes that are held to a part of a core."""

import subprocess
import sys
from pathlib import Path

from benchmarks import quota
from tests.configuration import cannot_run


def test_a_process_is_in_a_group_with_its_quota_until_the_end_of_the_block() -> None:
    if not quota.is_possible():
        cannot_run("needs Linux's control groups, and root")
    waiting = [sys.executable, "-c", "input()"]
    with subprocess.Popen(waiting, stdin=subprocess.PIPE) as process:
        groups = Path(f"/proc/{process.pid}/cgroup")
        before = groups.read_text()
        with quota.held_to(0.25, process.pid):
            (group,) = quota.GROUPS.glob(f"**/chat-bench-{process.pid}")
            limits = [
                number
                for name in ("cpu.max", "cpu.cfs_quota_us", "cpu.cfs_period_us")
                if (group / name).exists()
                for number in (group / name).read_text().split()
            ]
            held = groups.read_text()
        after = groups.read_text()
        process.communicate(b"\n")

    assert limits == ["2500", "10000"]
    assert f"/chat-bench-{process.pid}\n" in held
    assert before == after
    assert not group.exists()


def test_a_process_that_ended_meanwhile_leaves_no_group_behind() -> None:
    if not quota.is_possible():
        cannot_run("needs Linux's control groups, and root")
    waiting = [sys.executable, "-c", "input()"]
    with (
        subprocess.Popen(waiting, stdin=subprocess.PIPE) as process,
        quota.held_to(0.25, process.pid),
    ):
        process.communicate(b"\n")

    assert not list(quota.GROUPS.glob(f"**/chat-bench-{process.pid}"))
