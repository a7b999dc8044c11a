"""A Chromium that is installed on the machine, driven by Playwright."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, Error, async_playwright

from tests.configuration import cannot_run

#: Looked for in this order, after what `CHAT_TEST_CHROMIUM` names.
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def find_program() -> str | None:
    """Return the path of a Chromium, or None."""
    names = [os.environ.get("CHAT_TEST_CHROMIUM", ""), *PROGRAMS]
    return next((found for name in names if name and (found := shutil.which(name))), None)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Start one; skip the test where there is none, fail where CI=true."""
    program = find_program()
    if program is None:
        cannot_run(f"needs one of {', '.join(PROGRAMS)}, or CHAT_TEST_CHROMIUM=/path/to/one")
    async with async_playwright() as playwright:
        try:
            browser = await playwright.chromium.launch(executable_path=program, args=OPTIONS)
        except Error as error:
            cannot_run(f"{program} does not start: {error.message.splitlines()[0]}")
        try:
            yield browser
        finally:
            await browser.close()
