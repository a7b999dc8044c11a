"""A setting: it is declared once, and all else about it follows from that.

A class of settings has one attribute per setting, a `Setting`. From it come the type that editors
and mypy know, the default, the system check, and the line in the documentation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Generic, Never, Protocol, Self, TypeVar, overload

T_co = TypeVar("T_co", covariant=True)


class Reader(Protocol):
    """The class whose attributes are settings."""

    def read(self, name: str) -> Any:
        """Return the value of a setting as it is now."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What the values of a setting are.

    Attributes:
        holds: tells whether a value is one.
        remedy: the sentence that says what to write instead of another.
    """

    holds: Callable[[Any], bool]
    remedy: str


class Setting(Generic[T_co]):
    """One setting. Read on an instance it is the setting's value, on the class the declaration.

    Args:
        default: its value in a project that says nothing of it.
        meaning: what it does, in Markdown, for the table in the documentation.
        kind: what its values are; None where a check of its own knows that (`checks`).
        none: for a limit what `None` does, for that table; empty for any other setting.
        shown: the default as the table shows it, if not as Python does.

    Attributes:
        name: its key in the project's settings.
        default, meaning, kind, none: as above.
    """

    def __init__(
        self,
        default: T_co,
        meaning: str,
        kind: Kind | None = None,
        *,
        none: str = "",
        shown: str = "",
    ) -> None:
        self.name = ""
        self.default = default
        self.meaning = meaning
        self.kind = kind
        self.none = none
        self._shown = shown

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: Reader, owner: type) -> T_co: ...

    def __get__(self, instance: Reader | None, owner: type) -> Any:
        return self if instance is None else instance.read(self.name)

    def __set__(self, instance: Reader, value: object) -> Never:
        raise AttributeError(f"{self.name} is read here, and set in the project's settings.")

    @property
    def shown(self) -> str:
        """The default as the documentation shows it, in Markdown."""
        if self._shown:
            return self._shown
        text = f'"{self.default}"' if isinstance(self.default, str) else repr(self.default)
        return f"`{text}`"


class ClassSetting(Setting[Any]):
    """A setting that names a class by its dotted path, or is one: the default or a subclass."""


class NamesSetting(Setting[dict[str, Any]]):
    """A setting that has a name for each of some keys; a project's dict merges with the default.

    Args:
        keys: the keys.
        prefix: what the default name of each begins with; the key is its end.
        meaning: as for any setting.
    """

    def __init__(self, keys: Iterable[str], prefix: str, meaning: str) -> None:
        default = {key: f"{prefix}{key}" for key in keys}
        super().__init__(default, meaning, shown="see below")


def declared(owner: type) -> dict[str, Setting[Any]]:
    """Return the settings that a class declares, by name, in their order."""
    found: dict[str, Setting[Any]] = {}
    for base in reversed(owner.__mro__):
        found |= {name: each for name, each in vars(base).items() if isinstance(each, Setting)}
    return found


# Kinds


def flag(default: bool, meaning: str) -> Setting[bool]:
    """Declare a setting that is True or False."""
    kind = Kind(lambda value: isinstance(value, bool), "Use True or False.")
    return Setting(default, meaning, kind)


def one_of(default: Any, meaning: str, *values: Any) -> Setting[Any]:
    """Declare a setting that has one of a few values; the default is one of them."""
    named = ", ".join(repr(value) for value in (default, *values))
    kind = Kind(lambda value: value in (default, *values), f"Use one of {named}.")
    return Setting(default, meaning, kind)


def names(known: Collection[str], meaning: str, *, shown: str) -> Setting[Collection[str]]:
    """Declare a setting that is a set, tuple or list of known names; by default all of them.

    Args:
        known: the names.
        meaning: as for any setting.
        shown: likewise.
    """
    kind = Kind(
        lambda value: (
            isinstance(value, set | frozenset | tuple | list)
            and all(isinstance(name, str) and name in known for name in value)
        ),
        f"Use a set, a tuple or a list of names out of {', '.join(map(repr, known))}.",
    )
    return Setting(tuple(known), meaning, kind, shown=shown)


def limit(
    default: int | None, meaning: str, *, none: str = "no limit", least: int = 1, shown: str = ""
) -> Setting[int | None]:
    """Declare a setting that is a whole number, or None for no limit.

    Args:
        default: as for any setting.
        meaning: likewise.
        none: what `None` does.
        least: the smallest number that it may be.
        shown: as for any setting.
    """
    kind = Kind(
        lambda value: value is None or is_count(value, least),
        f"Use a whole number from {least} up, or None for no limit.",
    )
    return Setting(default, meaning, kind, none=none, shown=shown)


def seconds(default: float, meaning: str) -> Setting[float]:
    """Declare a setting that is a number of seconds above 0."""
    return Setting(default, meaning, Kind(is_duration, "Use a number of seconds above 0."))


def seconds_or_none(
    default: float | None,
    meaning: str,
    *,
    none: str,
    remedy: str,
    most: float = math.inf,
    shown: str = "",
) -> Setting[float | None]:
    """Declare a setting that is a number of seconds above 0, or None.

    Args:
        default: as for any setting.
        meaning: likewise.
        none: what `None` does.
        remedy: the same as the end of a request, as "to wait for ever".
        most: the largest number that it may be.
        shown: as for any setting.
    """
    kind = Kind(
        lambda value: value is None or (is_duration(value) and value <= most),
        f"Use a number of seconds above 0{'' if most == math.inf else f', {most:,.0f} at most'}, "
        f"or None {remedy}.",
    )
    return Setting(default, meaning, kind, none=none, shown=shown)


def is_number(value: Any) -> bool:
    """Tell whether a value is a finite number, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_count(value: Any, least: int = 1) -> bool:
    """Tell whether a value is a whole number, `least` or more."""
    return is_number(value) and isinstance(value, int) and value >= least


def is_duration(value: Any) -> bool:
    """Tell whether a value is a number above 0."""
    return is_number(value) and bool(value > 0)
