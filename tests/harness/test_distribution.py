"""How tests are handed out to several processes."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.distribution import parts

ROOT = Path(__file__).resolve().parents[2]


def test_what_stands_together_of_a_file_is_a_part() -> None:
    ids = ["a.py::one", "a.py::two", "b.py::one", "a.py::three", "b.py::two[x::y]"]

    found = parts(ids)

    assert list(found) == ids
    assert found["a.py::one"] == found["a.py::two"]
    assert len(set(found.values())) == 4


def test_no_process_commits_before_its_transactions_are_over(tmp_path: Path) -> None:
    """Each file has one test in a transaction and one that commits."""
    for number in range(4):
        (tmp_path / f"test_{number}.py").write_text(
            "import pytest\n"
            "def test_commits(committed_database: None) -> None: pass\n"
            "@pytest.mark.django_db\n"
            "def test_in_a_transaction() -> None: pass\n"
        )
    (tmp_path / "conftest.py").write_text("from tests.conftest import *\n")
    settings = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT), "--verbose"]
    # A run of its own, though the one around it may be a worker with a database.
    outer = ("CHAT_TEST_", "PYTEST_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(outer)}

    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *settings, "-n", "2", "--dist=loadfile", str(tmp_path)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    ended = re.findall(r"^\[(gw\d)\] .* PASSED .*::(\w+)", ran.stdout, re.MULTILINE)
    assert len(ended) == 8
    for worker in {worker for worker, _ in ended}:
        kinds = [test == "test_commits" for each, test in ended if each == worker]
        assert kinds == sorted(kinds)
