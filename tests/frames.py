"""Every frame of the tests on the wire, validated against the JSON Schema of the events.

`tests.client.Client` records what it sends and receives; `check` has it validated by ajv, in a
Node process that lives as long as the run.
"""

import atexit
import json
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from tests.node.packages import FOLDER, find_problem

NORMAL = "1000"


@dataclass(frozen=True)
class Recorded:
    """A frame as it passed, or the end of a connection, with its code for a text."""

    client: int
    kind: Literal["sent", "received", "closed"]
    text: str


record: list[Recorded] = []
"""What has passed since the last check."""


class Validator:
    """A Node process that validates frames.

    Args:
        schema: the JSON Schema of the events.
    """

    def __init__(self, schema: Any) -> None:
        directory = tempfile.TemporaryDirectory(prefix="chat-schema-")
        file = Path(directory.name) / "chat.schema.json"
        file.write_text(json.dumps(schema))
        self._directory = directory
        self._process = subprocess.Popen(
            ["node", str(FOLDER / "validate_frames.mjs"), str(file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def problems(self, frames: Iterable[tuple[str, str]]) -> list[str | None]:
        """Say for each frame what is wrong with it, or None."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(list(frames)) + "\n")
        self._process.stdin.flush()
        problems: list[str | None] = json.loads(self._process.stdout.readline())
        return problems

    def close(self) -> None:
        """End the process."""
        self._process.communicate()
        self._directory.cleanup()


@cache
def validator() -> Validator | None:
    """Return the validator of this run; None where there is no npm."""
    found = make_validator()
    if found is not None:
        atexit.register(found.close)
    return found


def make_validator() -> Validator | None:
    """Return a validator by the settings as they are now; None where there is no npm."""
    if find_problem() is not None:
        return None
    from event_bridge import spec  # not before Django has its settings

    return Validator(spec.json_schema(spec.contract()))


def check(frames: list[Recorded], judge: Validator | None = None) -> None:
    """Validate frames; without npm, none.

    What the server sent must be valid. What a client sent must be valid where the server has
    taken it: after an invalid frame has to come an error, or a close that the client did not
    ask for.

    Args:
        frames: the frames.
        judge: the validator; None for that of the run.

    Raises:
        AssertionError: a frame is not of the contract.
    """
    if judge is None:
        judge = validator() if frames else None
    if judge is None:
        return
    problems = judge.problems((frame.kind, frame.text) for frame in frames)
    refused: dict[int, list[str]] = {}
    wrong = []
    for frame, problem in zip(frames, problems, strict=True):
        waiting = refused.setdefault(frame.client, [])
        if frame.kind == "closed":
            if frame.text != NORMAL:
                waiting.clear()
        elif problem is not None:
            (waiting if frame.kind == "sent" else wrong).append(_sentence(frame, problem))
        elif waiting and frame.kind == "received" and "error" in json.loads(frame.text):
            waiting.pop(0)
    wrong += [taken for waiting in refused.values() for taken in waiting]
    assert not wrong, "not of the contract in docs/schema:\n" + "\n".join(wrong)


def _sentence(frame: Recorded, problem: str) -> str:
    return f"{frame.kind}: {problem}\n  {frame.text[:500]}"
