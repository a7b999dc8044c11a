"""The tables of settings in ``docs/settings.md``: ``python -m tests.settings_table`` writes them.

They are made of the declarations in ``gql_chat/conf.py``. With ``--check`` it fails instead where
the page says something else.
"""

import sys
from pathlib import Path
from typing import Any

from gql_chat.setting import Setting, declared

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "settings.md"
BEGIN = "<!-- Made from gql_chat/conf.py by `python -m tests.settings_table`. -->\n"
END = "<!-- End of what is made. -->\n"


def row(setting: Setting[Any]) -> str:
    """Return the line of a setting; a limit has a cell more, for what `None` does."""
    cells = [f"`{setting.name}`", setting.shown, setting.meaning.replace("|", "\\|")]
    return f"| {' | '.join([*cells, setting.none] if setting.none else cells)} |"


def tables(owner: type) -> str:
    """Return the tables of the settings that a class declares, in Markdown."""
    settings = declared(owner).values()
    return "\n".join(
        [
            "| key | default | meaning |",
            "|---|---|---|",
            *(row(setting) for setting in settings if not setting.none),
            "",
            "Limits. `None` switches one off.",
            "",
            "| key | default | meaning | `None` |",
            "|---|---|---|---|",
            *(row(setting) for setting in settings if setting.none),
            "",
        ]
    )


def written(page: str, owner: type) -> str:
    """Return the page with the tables as they are now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{tables(owner)}\n{END}{after}"


def main(check: bool) -> int:
    """Write or check the tables; returns the exit status."""
    from gql_chat.conf import ChatSettings  # needs DJANGO_SETTINGS_MODULE

    page = PAGE.read_text()
    if written(page, ChatSettings) == page:
        return 0
    if check:
        print(f"{PAGE.relative_to(ROOT)} is out of date: run python -m tests.settings_table")
        return 1
    PAGE.write_text(written(page, ChatSettings))
    return 0


if __name__ == "__main__":
    import os

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.site.settings")
    sys.exit(main("--check" in sys.argv[1:]))
