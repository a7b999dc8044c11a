import pytest
from django.contrib.auth import get_user_model

from tests.conftest import Orm, Users


def names(prefix: str) -> list[str]:
    found = get_user_model()._default_manager.filter(username__startswith=prefix)
    return [user.get_username() for user in found]


@pytest.mark.django_db
def test_users_of_a_transaction_are_seen_in_it(users: Users) -> None:
    users("inside")

    assert len(names("inside")) == 1


async def test_users_on_the_wire_are_committed_and_have_names_of_their_own(
    users: Users, orm: Orm
) -> None:
    one, two = users.make("outside", "outside")

    assert orm(names, "inside") == []
    assert sorted(orm(names, "outside")) == sorted([one.get_username(), two.get_username()])


def test_database_work_raises_in_the_test_what_it_raises_there(orm: Orm) -> None:
    with pytest.raises(get_user_model().DoesNotExist):
        orm(get_user_model()._default_manager.get, pk=0)
