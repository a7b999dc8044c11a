"""No file grows beyond what one reads in one go."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: How many lines a file of a tree may have. One that grows longer is split by noun.
BOUNDS = {
    "gql_chat": 500,
    "event_bridge": 500,
    "tests": 600,
    "benchmarks": 600,
    "docs": 600,
    "example_site": 600,
}
#: Files that are longer, each with the reason. One that is no longer so comes off the list.
LONGER = {
    "docs/clients/chat_client.py": "whoever uses it copies one file",
}


def files(tree: str) -> list[str]:
    """The Python files of a tree, without what was installed or generated into it."""
    listed = ("git", "ls-files", "--cached", "--others", "--exclude-standard", f"{tree}/*.py")
    try:
        found = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [name for name in found.stdout.splitlines() if (ROOT / name).exists()]


def length(name: str) -> int:
    return len((ROOT / name).read_text().splitlines())


@pytest.mark.parametrize("tree", BOUNDS)
def test_no_file_is_longer_than_its_tree_allows(tree: str) -> None:
    lengths = {name: length(name) for name in files(tree)}

    assert lengths
    assert {
        name: lines
        for name, lines in lengths.items()
        if lines > BOUNDS[tree] and name not in LONGER
    } == {}


@pytest.mark.parametrize("name", LONGER)
def test_what_is_excepted_is_longer(name: str) -> None:
    assert length(name) > BOUNDS[name.split("/", 1)[0]]
