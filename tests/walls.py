"""The walls between the parts, and the table of them in ``docs/architecture.md``.

``python -m tests.walls`` checks the contracts in ``pyproject.toml`` and writes the table anew, from
them and from what each part says of itself first. With ``--check`` it fails where the page says
something else.
"""

import ast
import sys
import tomllib
from pathlib import Path

from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"
BEGIN = "<!-- Made from pyproject.toml by `python -m tests.walls`. -->\n"
END = "<!-- End of what is made. -->\n"


def layers() -> list[list[str]]:
    """Return the parts of `gql_chat` as the contract has them, the highest first."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = settings["tool"]["importlinter"]["contracts"]
    (found,) = (contract for contract in contracts if contract["id"] == "layers")
    return [layer.replace(":", "|").split("|") for layer in found["layers"]]


def modules(package: Path) -> list[Path]:
    """Return the modules and packages that stand in a package, by name."""
    found = {*package.glob("*.py"), *(path.parent for path in package.glob("*/__init__.py"))}
    return sorted(path for path in found if path.stem not in ("__init__", "apps", "migrations"))


def describe(path: Path) -> str:
    """Return what a module, or a package, says of itself first."""
    file = path / "__init__.py" if path.is_dir() else path
    text = ast.get_docstring(ast.parse(file.read_text())) or ""
    sentence = text.splitlines()[0] if text else ""
    return sentence.replace("|", "\\|")


def table() -> str:
    """Return the tables of both packages, in Markdown."""
    lines = ["| layer | part of `gql_chat` | what it is |", "|---|---|---|"]
    for number, layer in enumerate(reversed(layers()), start=1):
        for name in (part.strip() for part in layer):
            module = ROOT / "gql_chat" / name
            path = module if module.is_dir() else module.with_suffix(".py")
            lines.append(f"| {number} | `{name}` | {describe(path)} |")
    lines += ["", "| part of `event_bridge` | what it is |", "|---|---|"]
    for path in modules(ROOT / "event_bridge"):
        lines.append(f"| `{path.stem}` | {describe(path)} |")
    return "\n".join(lines) + "\n"


def written(page: str) -> str:
    """Return the page with the tables as they are now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def main(check: bool) -> int:
    """Check the walls; write or check the tables. Returns the exit status."""
    if lint_imports(no_cache=True, no_logo=True) != EXIT_STATUS_SUCCESS:
        return 1
    page = PAGE.read_text()
    if written(page) == page:
        return 0
    if check:
        print(f"{PAGE.relative_to(ROOT)} is out of date: run python -m tests.walls")
        return 1
    PAGE.write_text(written(page))
    return 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
