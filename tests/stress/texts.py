"""Texts that no two messages share: a few KB of markup, the same again for the same number."""

import random
import re
from dataclasses import dataclass, field

import bleach

#: What PROTOCOL allows. Links are left out: what becomes of them is more than bleach does.
TAGS = ("b", "i", "strong", "em", "span", "p", "ul", "ol", "li", "br")
ATTRIBUTES = {"*": ["class", "id"]}

#: Markup that is taken away; its text stays.
_REFUSED = ("div", "u", "h1", "table", "section", "script")
_MARK = re.compile(r"m(\d+):")


@dataclass
class Texts:
    """Makes texts by number.

    Attributes:
        seed: what all of them follow from, with their numbers.
        last: the highest number that was given out.
    """

    seed: str
    last: int = field(default=0)

    def number(self) -> int:
        """A number that no text has yet."""
        self.last += 1
        return self.last

    def text(self, number: int) -> str:
        """What somebody writes."""
        chance = random.Random(f"{self.seed} text {number}")
        parts = [f"<p>m{number}: "]
        size = chance.randrange(200, 5000)
        while sum(map(len, parts)) < size:
            parts.append(self._part(chance, number))
        unclosed = "<i>" if chance.random() < 0.2 else ""
        return "".join([*parts, f"</p>{unclosed}<em>end of {number}</em>"])

    @staticmethod
    def _part(chance: random.Random, number: int) -> str:
        words = " ".join(f"{chance.choice('abcdefghij') * 3}{number}" for _ in range(6))
        match chance.randrange(6):
            case 0:
                return f'<span class="c{number}" id="i{chance.randrange(99)}">{words}</span> '
            case 1:
                return f"<ul><li>{words}</li><li><b>{number}</b> &amp; more</li></ul>"
            case 2:
                tag = chance.choice(_REFUSED)
                return f'<{tag} onclick="x({number})">{words}</{tag}> '
            case 3:
                return f"<i><strong>{words}</strong><br>{number} &lt; {number + 1}</i>"
            case 4:
                return f"{words} & {number} > {chance.randrange(99)} "
            case _:
                return f"<b>{words}</b> "

    def cleaned(self, number: int) -> str:
        """What of it is stored, according to bleach itself."""
        cleaner = bleach.Cleaner(tags=TAGS, attributes=ATTRIBUTES, strip=True)
        found: str = cleaner.clean(self.text(number))
        return found


def number_of(content: str) -> int | None:
    """The number of the text that a content is, or was made of."""
    found = _MARK.search(content)
    return None if found is None else int(found[1])
