"""How long cleaning hostile content takes: `python -m benchmarks.cleaning`.

Each input is a piece of markup, 10, 100 and 1,000 times, cut where a message ends by default. Where
cleaning is linear, ten times the input takes ten times as long, or is refused before.
"""

from __future__ import annotations

import sys
import time

from django.conf import settings

from gql_chat.errors import Invalid

LENGTH = 10_000
"""The default of `MAX_MESSAGE_LENGTH`."""

COUNTS = (10, 100, 1_000)

HOSTILE = {
    "elements that are opened again": "<li><i id={n}>x",
    "the same, with long attributes": "<p><a title='{n} and so on, and so on, and so on'>x",
    "all formatting, opened again": "<b><i><p>",
    "the adoption agency": "<b><p></b>",
    "the adoption agency, deep": "<ul></b><ul><em><b></b><strong><a><ol><ol></em></li></ul>",
    "links in links": "</p> <b <i><a href={n}></b>",
    "depth": "<span>",
    "lists within lists": "<ul><li>",
    "formatting that is not closed": "<b id={n}>",
    "paragraphs": "<p>",
    "ends of paragraphs": "</p>",
    "breaks": "<br>",
    "ends of what was not begun": "</b></ul></li></span>",
    "attributes": "<b a{n} ",
    "attributes of one tag": " a{n}",
    "quotes": "<b '",
    "forbidden tags": "<div><script>",
    "tags that are cut off": "<x <",
    "ampersands": "&",
    "ampersands in a link": "<a href='&&&&&&&&&&'>",
    "entities": "&lt;&#60;&notit;",
    "numbers of characters": "&#1111111111",
    "less-than signs": "<",
    "comments": "<!-- <b> -->",
    "comments that are none": "<!></ x><?",
    "CDATA": "<![CDATA[<b>]]>",
    "control characters": "\x00\x01",
}
"""Pieces of markup by what is hostile in them; `{n}` is another number each time."""


def build(name: str, count: int, length: int | None = LENGTH) -> str:
    """Return a hostile input: a piece so many times, cut at a length."""
    piece = HOSTILE[name]
    begin = "<b" if name == "attributes of one tag" else ""
    return (begin + "".join(piece.replace("{n}", str(n)) for n in range(count)))[:length]


def measure(content: str) -> tuple[float, str]:
    """Return the seconds of work that cleaning takes, the best of three, and what comes out."""
    from gql_chat.sanitize import clean  # it reads the settings, which there are only now

    best, outcome = float("inf"), ""
    for _ in range(3):
        start = time.process_time()
        try:
            outcome = f"{len(clean(content))} characters"
        except Invalid as refusal:
            outcome = refusal.sentence
        best = min(best, time.process_time() - start)
    return best, outcome


def main() -> None:
    """Print the processor time for each input and size, and the worst of all."""
    settings.configure()
    worst = (0.0, "")
    for name in HOSTILE:
        for count in COUNTS:
            content = build(name, count)
            seconds, outcome = measure(content)
            worst = max(worst, (seconds, f"{name}, {count} times"))
            sys.stdout.write(
                f"{name:32} {count:5} times {len(content):6} characters "
                f"{seconds * 1000:8.2f} ms  {outcome}\n"
            )
    seconds, name = worst
    sys.stdout.write(f"The worst: {name}: {seconds * 1000:.1f} ms.\n")


if __name__ == "__main__":
    main()
