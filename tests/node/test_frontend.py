"""The page for front ends is right: its files compile, its commands run, its guards guard."""

import json
from pathlib import Path

import pytest

from tests.node.frontend import FrontEnd, read_page
from tests.node.packages import FOLDER, need


@pytest.fixture(scope="module")
def front_end(tmp_path_factory: pytest.TempPathFactory) -> FrontEnd:
    """A front end in which all that the page says has been done."""
    need()
    front_end = FrontEnd(tmp_path_factory.mktemp("project"))
    for command in read_page().commands:
        ended = front_end.run(command)
        assert ended.returncode == 0, f"{command}\n{ended.stdout}\n{ended.stderr}"
    return front_end


def test_every_file_is_written_and_every_command_of_the_page_runs(front_end: FrontEnd) -> None:
    made = ["chat.asyncapi.json", "src/chat_events.d.ts", "src/gql/graphql.ts"]
    assert all((front_end.folder / name).stat().st_size for name in made)
    assert len(read_page().commands) >= 10


def test_the_page_installs_the_packages_that_the_tests_use() -> None:
    package = json.loads((FOLDER / "package.json").read_text())

    # The parser of AsyncAPI is a matter of the tests alone.
    assert read_page().packages == package["devDependencies"].keys() - {"@asyncapi/parser"}


WRONG_LINES = [
    ('chat.on("message.dispatched", () => {});', "message.dispatched"),
    ('chat.on("message.dispatch", (message) => message.text);', "text"),
    ('chat.ask("room.info", {});', "room_id"),
    ('chat.ask("room.dance", {});', "room.dance"),
    ('chat.ask("message.react", { type: "ad", message_id: "", reaction_content: "" });', "ad"),
    ('chat.sendMessage({ room_id: "", contents: "" });', "contents"),
    ('void ({ event_type: "room.join", data: {} } satisfies ClientEvent);', "room_id"),
    ('void ({ event_type: "room.jump", data: {} } satisfies ClientEvent);', "room.jump"),
]


def _without_a_case(text: str) -> str:
    head, _, rest = text.partition('    case "roomexit.dispatch":')
    _, _, tail = rest.partition("    case")
    return f"{head}    case{tail}"


@pytest.fixture(scope="module")
def errors(front_end: FrontEnd) -> str:
    """What the compiler says of files that are wrong, all compiled at once."""
    files = read_page().files
    wrong = {
        "forgot": _without_a_case(files["src/headline.ts"]),
        "nickname": files["src/tool.ts"].replace("room.peer.username", "room.peer.nickname"),
    }
    for number, (line, _) in enumerate(WRONG_LINES):
        wrong[f"line{number}"] = (
            'import { ChatClient } from "./chat_client";\n'
            'import type { ClientEvent, ServerEvent } from "./chat_events";\n'
            f'const chat = new ChatClient<ClientEvent, ServerEvent>("");\n{line}\n'
        )
    for name, text in wrong.items():
        front_end.write(f"src/{name}.ts", text)
    found = front_end.run("npx tsc").stdout
    for name in wrong:
        (front_end.folder / f"src/{name}.ts").unlink()
    return found


def errors_in(name: str, errors: str) -> list[str]:
    return [line for line in errors.splitlines() if line.startswith(f"src/{name}.ts(")]


def test_the_compiler_finds_a_dispatch_that_a_switch_forgot(errors: str) -> None:
    assert "RoomexitDispatch" in errors_in("forgot", errors)[0]


@pytest.mark.parametrize("number", range(len(WRONG_LINES)))
def test_the_compiler_finds_what_is_not_of_the_contract(number: int, errors: str) -> None:
    _, named = WRONG_LINES[number]

    (error,) = errors_in(f"line{number}", errors)

    assert f"line{number}.ts(4," in error
    assert named in errors.partition(error)[2].partition("\nsrc/")[0] + error


def test_the_compiler_finds_what_is_not_of_the_schema(errors: str) -> None:
    (error,) = errors_in("nickname", errors)

    assert "nickname" in error


def test_the_check_of_the_schema_names_what_a_change_would_break(front_end: FrontEnd) -> None:
    before = (front_end.folder / "chat.graphql").read_text()
    assert "  unread_count: Int!\n" in before
    front_end.write("changed.graphql", before.replace("  unread_count: Int!\n", ""))

    ended = front_end.run("node check_schema.mjs deployed.graphql changed.graphql")
    assert ended.returncode == 1
    assert "unread_count" in ended.stderr
    # What is new breaks nothing.
    assert front_end.run("node check_schema.mjs changed.graphql chat.graphql").returncode == 0


def test_the_check_of_a_frame_refuses_what_is_not_of_the_contract(front_end: FrontEnd) -> None:
    assert front_end.run("""node check_frame.mjs '{"status": "done"}'""").returncode == 1


def test_nothing_that_was_released_is_broken(front_end: FrontEnd) -> None:
    released, present = FOLDER / "released.graphql", Path("docs/schema/chat.graphql").resolve()

    ended = front_end.run(f"node check_schema.mjs {released} {present}")

    assert (ended.returncode, ended.stderr) == (0, "")
