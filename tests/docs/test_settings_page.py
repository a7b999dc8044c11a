"""The page of the settings shows what is declared."""

from gql_chat.conf import ChatSettings
from tests import settings_table


def test_the_tables_are_those_of_the_declarations() -> None:
    page = settings_table.PAGE.read_text()

    assert settings_table.written(page, ChatSettings) == page, "run python -m tests.settings_table"
