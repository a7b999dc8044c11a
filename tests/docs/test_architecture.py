"""The page on the architecture shows the walls that are checked."""

from tests import walls


def test_the_tables_are_those_of_the_contracts() -> None:
    page = walls.PAGE.read_text()

    assert walls.written(page) == page, "run python -m tests.walls"


def test_every_part_stands_in_a_table_with_a_sentence() -> None:
    package = walls.ROOT / "gql_chat"
    placed = {part.strip() for layer in walls.layers() for part in layer}

    assert placed == {path.stem for path in walls.modules(package)}
    assert all(walls.describe(path) for path in walls.modules(package))


def test_what_is_out_of_date_is_noticed() -> None:
    page = walls.PAGE.read_text()
    changed = page.replace("`streams`", "`rivers`")

    assert changed != page
    assert walls.written(changed) != changed
