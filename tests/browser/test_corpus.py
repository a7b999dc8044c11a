"""What people send is shown by a real browser, and does nothing there.

Every vector goes over the socket, into each field that shows what somebody wrote. One page shows
what came out, the way docs/markup.md tells front ends to.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings
from playwright.async_api import Page, Request, Route

from gql_chat.attributes import REL
from gql_chat.errors import Invalid
from gql_chat.sanitize import TAGS, clean
from tests.browser.chromium import chromium
from tests.browser.vectors import VECTORS, spliced
from tests.conftest import Connect, Users
from tests.timing import STARTUP
from tests.wire.rooms import group, people, say

PAGE = (Path(__file__).parent / "page.html").read_text()
URL = "https://chat.test/"
LAST = f"{URL}last.png"
EVERY = [vector for vectors in VECTORS.values() for vector in vectors]
XHTML = "http://www.w3.org/1999/xhtml"


class Shown:
    """A page that shows texts, and what it did that was not asked of it.

    Attributes:
        asked: the addresses that it asked for.
        left: where it went, what it opened, and the dialogs that it showed.
    """

    def __init__(self, page: Page) -> None:
        self.asked: list[str] = []
        self.left: list[str] = []
        self._page = page
        page.set_default_timeout(STARTUP * 1000)

    async def open(self) -> None:
        """Load the page, once; from here on it has no reason to load or to leave."""
        page, left = self._page, self.left
        await page.context.route("**/*", self._answer)
        await page.goto(URL)
        page.on("framenavigated", lambda frame: left.append(frame.url))
        page.on("popup", lambda popup: left.append(popup.url))
        page.on("download", lambda download: left.append(download.url))

        async def dismiss(dialog: Any) -> None:
            left.append(dialog.message)
            await dialog.dismiss()

        page.on("dialog", dismiss)

    async def _answer(self, route: Route, request: Request) -> None:
        """Answer a request here: nothing leaves the machine."""
        first = request.url == URL and not self.asked
        self.asked.append(request.url)
        if first:
            await route.fulfill(body=PAGE, content_type="text/html")
        elif request.is_navigation_request():
            await route.abort()
        else:
            await route.fulfill(status=404, body="")

    async def as_html(self, texts: list[str]) -> list[dict[str, list[Any]]]:
        """Show texts by `innerHTML`; returns the elements of each, and when it is shown again."""
        return await self._show("showHTML", texts)

    async def as_text(self, texts: list[str]) -> list[dict[str, Any]]:
        """Show texts by `textContent`; returns what is there of each."""
        return await self._show("showText", texts)

    async def _show(self, how: str, texts: list[str]) -> list[Any]:
        found: list[Any] = await self._page.evaluate(f"texts => {how}(texts)", texts)
        await self._page.evaluate("settle()")
        return found

    async def runs(self) -> list[str]:
        """Return the texts that ran a script."""
        found: list[str] = await self._page.evaluate("runs")
        return found


@pytest.fixture
async def shown() -> AsyncIterator[Shown]:
    async with chromium() as browser:
        shown = Shown(await browser.new_page())
        await shown.open()
        yield shown


def is_right(element: dict[str, Any], *, relative: bool = False) -> bool:
    """Tell whether an element, as the browser has it, is one that content may have."""
    given = element["attributes"]
    if element["tag"] not in TAGS or element["namespace"] != XHTML:
        return False
    if element["tag"] != "a":
        return given.keys() <= {"class", "id"}
    if "href" not in given:
        return given.keys() <= {"class", "id", "title", "target"}
    # An address that the browser cannot read has ":" for its protocol, and leads nowhere.
    leads_away = element["host"] != "chat.test"
    return (
        given.keys() <= {"class", "id", "title", "target", "href", "rel"}
        and given.get("rel") == REL
        and given.get("target", "_blank") == "_blank"
        and element["protocol"] in ("http:", "https:", "mailto:", ":")
        and (leads_away or relative)
    )


async def nothing_happens(
    shown: Shown, contents: list[str], *, relative: bool = False
) -> list[str]:
    """Show contents, and make sure that they only show; returns their ids and classes."""
    names: list[str] = []
    found = await shown.as_html(contents)

    assert await shown.runs() == []
    assert shown.left == []
    assert set(shown.asked) == {URL, LAST}
    for content, each in zip(contents, found, strict=True):
        wrong = [one for one in each["first"] if not is_right(one, relative=relative)]
        assert wrong == [], content
        assert each["first"] == each["second"], content
        for one in each["first"]:
            given = one["attributes"]
            names += [*given.get("class", "").split(), *filter(None, [given.get("id")])]
    return names


# What comes out


async def test_the_vectors_are_many_and_each_is_another() -> None:
    assert len(EVERY) == len(set(EVERY)) >= 300


async def test_the_page_notices_what_vectors_do(shown: Shown) -> None:
    # As they are sent; but what leads the page away at once, which would show the rest no more.
    away = ("refresh", "about:blank")
    texts = [text for text in EVERY if not any(each in text for each in away)]
    found = await shown.as_html(texts)
    runs = await shown.runs()

    assert len(set(runs)) > 100
    # A link that runs does so when the page has come to an end with all of them.
    assert "later" in runs
    links = [one["protocol"] for each in found for one in each["first"]]
    assert links.count("javascript:") > 30
    assert len({url for url in shown.asked if "evil.test" in url}) >= 8
    assert shown.left
    assert sum(not all(map(is_right, each["first"])) for each in found) > 200


async def test_what_people_send_does_nothing_where_it_is_shown(
    connect: Connect, users: Users, shown: Shown
) -> None:
    (alice,) = await people(connect, users, "alice")
    room = await group(alice)
    other = await say(alice, room, "to be edited")
    contents: list[str] = []
    texts: list[str] = []

    async def ask(event: str, data: Any, answer: str) -> Any:
        """Return what everybody gets, or None where the server takes no such text."""
        await alice.send(event, data)
        frame = await alice.next()
        if "error" in frame:
            assert frame["error"]["code"] == 4003, frame
            return None
        assert frame["eventType"] == answer, frame
        return frame["data"]

    async def write(event: str, data: Any, extra: Any, answer: str) -> Any:
        """Send a vector; of some nothing is left, and a message has to have content."""
        for content in (vector, f"{vector}text", f"text {vector}"):
            given = {"content": content, **extra}
            given = {"extra_fields": given} if event == "message.modify" else given
            found = await ask(event, {**data, **given}, answer)
            if found is not None:
                return found
        raise AssertionError(f"refused: {vector}")

    # No text may have a NUL in it: those vectors go to `clean` alone, below.
    sendable = [vector for vector in EVERY if "\0" not in vector]
    for vector in sendable:
        media = {
            "media_url": "https://files.test/a.png",
            "media_type": "image",
            "mime_type": "image/png",
            "caption": vector,
        }
        data = {"room_id": room["id"]}
        for extra in ({}, {"extra_fields": {"media": [media]}}):
            sent = await write("message.send", data, extra, "message.dispatch")
            contents.append(sent["content"])
            texts += [each["caption"] for each in sent["attachments"]]
        data = {"message_id": other["id"], "action": "update"}
        edited = await write("message.modify", data, {}, "messagemodification.dispatch")
        contents.append(edited["message"]["content"])
        for key in ("name", "description"):
            data = {"room_id": room["id"], "action": "update", "data": {key: vector}}
            changed = await ask("room.modify", data, "roomupdate.dispatch")
            # Names are short.
            assert changed or (key == "name" and len(vector) > 60), vector
            texts += [changed[key]] if changed else []

    assert len(sendable) > 0.95 * len(EVERY)
    assert len(contents) == 3 * len(sendable)
    assert len(texts) > 2.5 * len(sendable)
    await nothing_happens(shown, contents)
    for text, each in zip(texts, await shown.as_text(texts), strict=True):
        assert each == {"elements": 0, "text": text}
    assert await shown.runs() == []


@pytest.mark.parametrize("relative", [False, True], ids=["absolute", "relative"])
@pytest.mark.parametrize("sanitizer", ["bleach", "nh3"])
async def test_what_either_sanitizer_leaves_does_nothing(
    sanitizer: str, relative: bool, shown: Shown
) -> None:
    contents = []
    texts = [*EVERY, *spliced(500, seed=1)]
    given = {"SANITIZER": sanitizer, "RELATIVE_LINKS": relative, "ID_AND_CLASS_PREFIX": "chat-"}
    with override_settings(REALTIME_CHAT_MESSAGING=given):
        for text in texts:
            try:
                contents.append(clean(text))
            except Invalid:
                continue

    assert len(contents) > 0.9 * len(texts)
    names = await nothing_happens(shown, contents, relative=relative)
    assert names
    assert all(name.startswith("chat-") for name in names)
