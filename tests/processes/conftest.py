"""What holds for all of the tests of several processes."""

from collections.abc import Iterator

import pytest

from tests import frames


@pytest.fixture(autouse=True)
def frames_of_the_contract() -> Iterator[None]:
    """Validates every frame of the test, once its sockets are closed."""
    frames.record.clear()
    yield
    frames.check(frames.record.copy())
