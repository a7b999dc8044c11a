"""Levers: each is where its switch looks for it, and a message goes through without it."""

from collections.abc import Iterator
from typing import Any

import pytest
import uvloop

from benchmarks import levers, scenarios
from benchmarks.levers import LEVERS, SQLITE, Lever
from benchmarks.servers import Workshop
from benchmarks.sites.frames import FIRST_USER
from tests.configuration import Configuration


@pytest.fixture(scope="module")
def workshop(configuration: Configuration, tmp_path_factory: Any) -> Iterator[Workshop]:
    if configuration.database != "sqlite":
        pytest.skip("chooses its databases itself: once is enough")
    directory = tmp_path_factory.mktemp("levers")
    directory.chmod(0o755)
    with Workshop(directory, users=20) as workshop:
        yield workshop


@pytest.mark.parametrize("name", LEVERS)
def test_a_lever_is_where_its_switch_looks_for_it(name: str) -> None:
    owner, attribute = levers.find_target(LEVERS[name].target)

    assert LEVERS[name].replace(getattr(owner, attribute)) != getattr(owner, attribute)


class Shop:
    """What the switch of a lever replaces, in this test."""

    price = 3


def test_a_switch_replaces_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    lever = Lever("prices are low", f"{__name__}.Shop.price", lambda price: price + 1)
    monkeypatch.setitem(LEVERS, "low-prices", lever)
    monkeypatch.setattr(Shop, "price", 3)
    monkeypatch.setenv(levers.VARIABLE, "low-prices")

    levers.switch_off_named()

    assert Shop.price == 4


def test_a_lever_that_is_gone_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LEVERS, "gone", Lever("nothing", f"{__name__}.Shop.rebate", str))

    with pytest.raises(AttributeError):
        levers.switch_off("gone")
    with pytest.raises(KeyError):
        levers.switch_off("never-there")


@pytest.mark.parametrize("name", LEVERS)
def test_a_message_goes_through_without_a_lever(name: str, workshop: Workshop) -> None:
    on_sqlite = SQLITE in LEVERS[name].databases
    database = workshop.sqlite() if on_sqlite else workshop.postgres_database("levers")

    with workshop.ours({**database, **levers.without(name)}) as target:
        talked = uvloop.run(scenarios.chatter(target, FIRST_USER, sockets=10, messages=2))
        paged = uvloop.run(scenarios.page(target, FIRST_USER + 10, messages=2, repeats=2))

    assert talked["deliveries_per_s"] == pytest.approx(10 * talked["messages_per_s"])
    assert paged["page_ms"] > 0
