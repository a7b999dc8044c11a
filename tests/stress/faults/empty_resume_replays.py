"""An empty resume brings what happened since the user joined, as if it were new."""

from typing import Any

from event_bridge.resume import Resumption


def bring_back() -> None:
    """Begin every stream that is not named where the membership began."""
    last_place = Resumption._last_place

    def from_the_join(self: Any, name: str, *places: int) -> Any:
        return last_place(self, name, *places) if self.wanted else places[-1] - 1

    Resumption._last_place = from_the_join  # type: ignore[method-assign]
