"""Times at the ends of what there is: one that is taken can be stored, read and shown."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.apps import apps
from django.db import models
from django.test import override_settings
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gql_chat.columns import clean_columns
from gql_chat.errors import Invalid
from gql_chat.models import AbstractMessage, Session
from gql_chat.schema import Context, Document, get_schema
from gql_chat.schema.scalars import SCALARS
from gql_chat.times import EARLIEST, LATEST, check_time

ENDS = st.one_of(
    st.datetimes(max_value=(EARLIEST + timedelta(days=2)).replace(tzinfo=None)),
    st.datetimes(min_value=(LATEST - timedelta(days=2)).replace(tzinfo=None)),
    st.datetimes(),
)
ZONES = st.one_of(
    st.none(),
    st.just(UTC),
    st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
MOMENTS = st.builds(lambda moment, zone: moment.replace(tzinfo=zone), ENDS, ZONES)
FARTHEST = [ZoneInfo("Pacific/Kiritimati"), ZoneInfo("Etc/GMT+12")]
FIRST = datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))
LAST = datetime.max.replace(tzinfo=timezone(timedelta(hours=-12)))


def is_taken(moment: datetime) -> bool:
    try:
        return check_time(moment) == moment
    except ValueError:
        return False


def test_what_is_taken_is_said() -> None:
    with pytest.raises(ValueError, match="from 0001-01-02 to 9999-12-30"):
        check_time(LAST)


@given(MOMENTS)
@example(FIRST)
@example(LAST)
@example(EARLIEST)
@example(LATEST)
def test_a_time_that_is_taken_is_one_in_every_zone(moment: datetime) -> None:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if not is_taken(moment):
        assert any(abs(aware - end) < timedelta(days=2) for end in (EARLIEST, LATEST))
        return
    for zone in FARTHEST:
        aware.astimezone(zone)
    for scalar in ("Timestamp", "DateTime"):
        kind: Any = next(each for each in SCALARS.values() if each.name == scalar)
        assert kind.serialize(kind.parse_value(moment.isoformat()))


DOCUMENT = (
    "query ($filters: SessionRecordFilter) { session_records(filters: $filters) { total_count } }"
)


@pytest.mark.parametrize("text", ["{}", "0001-01-01", "9999-12-31T23:59:59.999999-12:00", "x"])
def test_a_filter_by_a_time_that_no_database_takes_names_its_field(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        Document(get_schema()._schema, DOCUMENT).execute({"filters": {"seen_after": text}})

    assert isinstance(refused.value.detail, dict)
    assert refused.value.detail.keys() == {"seen_after"}


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)
@given(moment=MOMENTS)
@example(moment=datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=22))))
@example(moment=FIRST)
@example(moment=LAST)
@example(moment=EARLIEST)
@example(moment=LATEST)
def test_a_filter_by_any_time_finds_or_names_its_field(moment: datetime, staff: Any) -> None:
    document = prepared()
    filters = {"seen_after": moment.isoformat()}
    problems = refusal(document, filters, staff)
    assert problems.keys() == (set() if is_taken(moment) else {"seen_after"})
    if not problems:
        (session,) = Session.objects.all()
        taken = check_time(moment)
        Session.objects.update(last_seen=taken if taken.tzinfo else taken.replace(tzinfo=UTC))
        session.refresh_from_db()
        assert session.last_seen.tzinfo is not None


@cache
def prepared() -> Document:
    return Document(get_schema()._schema, DOCUMENT)


def refusal(document: Document, filters: Any, user: Any) -> dict[str, Any]:
    """What is refused, by field; nothing where it is answered."""
    try:
        assert document.execute({"filters": filters}, context=Context(user.pk))
    except Invalid as refused:
        return dict(refused.detail)  # type: ignore[arg-type]
    return {}


@pytest.fixture
def staff(alice: Any) -> Any:
    alice.is_superuser = True
    alice.save()
    Session.objects.create(user=alice, channel_name="one")
    return alice


@pytest.fixture
def dated() -> Iterator[Any]:
    """A message model of a project's with times, for as long as the test runs."""

    class Dated(AbstractMessage):
        room = models.ForeignKey("gql_chat.Room", models.CASCADE, related_name="+")
        at = models.DateTimeField()
        on = models.DateField()
        daily = models.TimeField()

        class Meta:
            app_label = "gql_chat"

    yield Dated
    del apps.all_models["gql_chat"]["dated"]
    apps.clear_cache()


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Etc/GMT+12"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("at", FIRST),
        ("at", LAST),
        ("at", datetime.min.replace(tzinfo=UTC)),
        ("at", "9999-12-31T23:59:59.999999"),
        ("at", FIRST.isoformat()),
        ("at", "9999-12-31 23:59"),
        ("daily", datetime(2026, 1, 1, 12, tzinfo=UTC).timetz()),
    ],
    ids=str,
)
def test_a_column_takes_no_time_that_the_database_does_not(
    name: str, value: Any, zone: str, dated: Any
) -> None:
    with override_settings(TIME_ZONE=zone), pytest.raises(Invalid) as refused:
        clean_columns(dated, {name: value}, [name], "extra_fields")

    assert isinstance(refused.value.detail, dict)
    assert refused.value.detail.keys() == {f"extra_fields.{name}"}


@pytest.mark.parametrize(
    ("name", "value"),
    [("at", EARLIEST), ("at", LATEST), ("on", date.min), ("on", date.max), ("daily", "12:00")],
)
def test_a_column_takes_all_others(name: str, value: Any, dated: Any) -> None:
    assert clean_columns(dated, {name: value}, [name], "data").keys() == {name}
