"""The pages name files, modules, classes and functions of the project only where they exist."""

import builtins
import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
from django.apps import apps

from tests.servers import ROOT

PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
FOLDERS = ("benchmarks", "docs", "event_bridge", "example_site", "gql_chat", "tests")
PLACES = re.compile(rf"(?:{'|'.join(FOLDERS)})/[\w./-]*|(?:[\w-]+/)*[\w-]+\.(?:py|mjs|txt|ts|json)")
DOTTED = re.compile(rf"((?:{'|'.join(FOLDERS)})(?:\.\w+)+)(?:\(.*\))?")
CALLED = re.compile(r"@?((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*)(?:\(.*\))?")
"""A class, function or constant, with its arguments or not."""

CODE = re.compile(r"^```.*?^```$", re.M | re.S)
PROSE = re.compile(r'"""(?:.|\n)*?"""|#.*')
SOURCES = (".py", ".ts", ".mjs", ".js", ".toml", ".json", ".yml")
INSTALLED = ("tests/node/graphql_ws/node_modules", "tests/node/node_modules", "tests/node/api.d.ts")
"""What `make` or a reader makes; it is in no clone."""

FOREIGN = {"ContentTypeManager", "EMAIL_FIELD", "SynchronousOnlyOperation"}
"""Names of Django, which none of our code says."""


def quoted(page: Path) -> Iterator[str]:
    """Yield what a page shows as code inside its sentences."""
    yield from re.findall(r"`([^`\n]+)`", CODE.sub("", page.read_text()))


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@cache
def files() -> list[str]:
    """Return the files of the project, those of its hidden and its made folders left out."""
    found = []
    for top in FOLDERS:
        for path in (ROOT / top).rglob("*"):
            name = path.relative_to(ROOT).as_posix()
            if path.is_file() and "node_modules" not in name and "__pycache__" not in name:
                found.append(name)
    return [*found, *(path.name for path in ROOT.iterdir() if path.is_file())]


@cache
def words() -> frozenset[str]:
    """Return every word of the code, without the prose of Python files: that may name the gone."""
    texts = []
    for name in files():
        if (name.endswith(SOURCES) or name == "Makefile") and name != name_of(Path(__file__)):
            text = (ROOT / name).read_text()
            texts.append(PROSE.sub("", text) if name.endswith(".py") else text)
    return frozenset(re.findall(r"\w+", "\n".join(texts)))


def is_file(name: str) -> bool:
    """Tell whether a path, or the end of one, is that of a file or a folder."""
    wanted = f"/{name.strip('/')}"
    return any(f"/{each}".endswith(wanted) or f"{wanted}/" in f"/{each}" for each in files())


def resolves(dotted: str) -> bool:
    """Tell whether a dotted name is a module, or leads from one to an attribute."""
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found = import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for name in parts[count:]:
            if not hasattr(found, name):
                return False
            found = getattr(found, name)
        return True
    return False


def is_label(dotted: str) -> bool:
    """Tell whether it is what Django or logging name so: a check, a logger, a model, a permission.

    `gql_chat.E001` is an id of a check, `gql_chat.GroupChat` a model, `gql_chat.view_room` a
    permission, `gql_chat.audit` a logger.
    """
    app, _, name = dotted.partition(".")
    own = (ROOT / file for file in files() if file.startswith(f"{app}/") and file.endswith(".py"))
    if any(f'"{dotted}"' in source.read_text() for source in own):
        return True
    if not apps.is_installed(app):
        return False
    metas = [model._meta for model in apps.get_models(include_swapped=True)]
    models = {meta.object_name for meta in metas if meta.app_label == app}
    permissions = {
        codename
        for meta in metas
        for codename in (
            *(f"{action}_{meta.model_name}" for action in meta.default_permissions),
            *(codename for codename, _ in meta.permissions),
        )
    }
    return name in models | permissions


def is_code(name: str) -> bool:
    """Tell whether a name is to be found: a class, a constant, or a call. Words may be a wire's."""
    last = name.rpartition(".")[2]
    return bool(re.fullmatch(r"(?:[A-Z][a-z0-9]+){2,}|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+", last))


def missing(text: str) -> bool:
    """Tell whether a name of the project's code is that of nothing."""
    called = CALLED.fullmatch(text)
    if called is None:
        return False
    names = called[1].split(".")
    if not (is_code(called[1]) or text.endswith(")") or any(map(is_code, names))):
        return False
    known = words() | set(dir(builtins)) | FOREIGN
    return any(name not in known for name in names)


def test_there_is_much_to_check() -> None:
    quotes = [each for page in PAGES for each in quoted(page)]

    assert sum(PLACES.fullmatch(each) is not None for each in quotes) > 100
    assert sum(DOTTED.fullmatch(each) is not None for each in quotes) > 50


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_file_that_is_named_is_there(page: Path) -> None:
    named = {each for each in quoted(page) if PLACES.fullmatch(each)} - set(INSTALLED)

    assert sorted(name for name in named if not is_file(name)) == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_dotted_name_leads_somewhere(page: Path) -> None:
    named = {found[1] for each in quoted(page) if (found := DOTTED.fullmatch(each))}

    assert sorted(name for name in named if not (resolves(name) or is_label(name))) == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_class_or_function_that_is_named_is_there(page: Path) -> None:
    assert sorted({each for each in quoted(page) if missing(each)}) == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_name_stands_in_the_file_that_is_named_with_it(page: Path) -> None:
    text = CODE.sub("", page.read_text())
    file = r"`((?:[\w-]+/)+[\w-]+\.py|[\w-]+\.py)`"
    pairs = [(place, name) for name, place in re.findall(rf"`(\w+)` (?:in|of) {file}", text)]
    for place, several in re.findall(rf"{file} \(((?:`\w+`(?:, )?)+)\)", text):
        pairs += [(place, name) for name in re.findall(r"\w+", several)]

    for place, name in pairs:
        (path, *_) = [each for each in files() if f"/{each}".endswith(f"/{place}")]
        defined = rf"^\s*(?:(?:async )?def|class) {name}\b|^\s*{name}\b(?:: .*)? ?="
        assert re.search(defined, (ROOT / path).read_text(), re.M), f"{place} has no {name}"


def test_what_is_not_there_is_noticed() -> None:
    assert not is_file("gql_chat/nobody.py")
    assert not resolves("gql_chat.streams.nothing")
    assert not is_label("gql_chat.E999")
    assert missing("NobodyKnowsThis")
    assert missing("nobody_knows_this()")
    assert not missing("MAX_PAGE_SIZE")
