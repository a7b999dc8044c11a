"""A schema with one of everything, and one of which nothing can be had without waiting."""

from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any

import strawberry

from gql_chat.schema import derived


@strawberry.enum
class Mood(Enum):
    """How a cat is."""

    GOOD = "good"
    BAD = "bad"


@strawberry.interface
class Animal:
    """What has a name."""

    name: str


@strawberry.type
class Cat(Animal):
    """An animal with fields of every kind."""

    is_type_of = classmethod(lambda cls, value, info: value.kind == "cat")
    mood: Mood
    kittens: list["Cat"]
    toy: str | None
    loud: str = derived(lambda cat: cat.name.upper())

    @strawberry.field
    def owner(self, info: strawberry.Info) -> str:
        """Return what the resolver learned."""
        return f"{info.context} at {info.field_name}"

    @strawberry.field
    def call(self, times: int = 2, sound: str | None = None) -> str:
        """Return the arguments."""
        return f"{sound} " * times


@strawberry.type
class Dog(Animal):
    """An animal with lists in a list."""

    is_type_of = classmethod(lambda cls, value, info: value.kind == "dog")
    walks: list[list[int | None]]


Pet = Annotated[Cat | Dog, strawberry.union("Pet")]


@strawberry.type
class Query:
    """Where pets are found."""

    @strawberry.field
    def pets(self, info: strawberry.Info, first: int | None = None) -> list[Pet]:
        """Return the first of them."""
        return info.root_value[:first]

    @strawberry.field
    def animal(self, info: strawberry.Info, number: int = 0) -> Animal | None:
        """Return one of them, or none."""
        return info.root_value[number] if number < len(info.root_value) else None


@dataclass
class Row:
    """What a resolver returns: no instance of any type of the schema."""

    kind: str
    name: str
    mood: Mood | None = Mood.GOOD
    kittens: tuple[Any, ...] = ()
    toy: str | None = None
    walks: tuple[tuple[int | None, ...], ...] = ()


ROOT = [
    Row("cat", "Tom", kittens=(Row("cat", "Kit", Mood.BAD, toy="ball"),)),
    Row("dog", "Rex", walks=((1, None), ())),
]


SCHEMA = strawberry.Schema(query=Query, types=[Cat, Dog])._schema


@strawberry.type
class Sleepy:
    """Nothing of it can be had without waiting."""

    name: str

    @strawberry.field
    async def dream(self) -> str:
        """Return it later."""
        return "of mice"


async def is_type_of(cls: Any, value: Any, info: Any) -> bool:
    """Tell it later."""
    return True


Sleeper = strawberry.type(
    type(
        "Sleeper",
        (),
        {"__annotations__": {"name": str}, "is_type_of": classmethod(is_type_of)},
    )
)


@strawberry.type
class SleepyQuery:
    """Where what sleeps is found."""

    sleepy: Sleepy = derived(lambda root: root)
    sleeper: Sleeper | None = derived(lambda root: root)

    @strawberry.field
    def echo(self, text: str = "") -> str:
        """Return the text."""
        return text


SLEEPY = strawberry.Schema(query=SleepyQuery)._schema
