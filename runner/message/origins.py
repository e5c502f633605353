"""Where a character of a text comes from: the template's own text, a column, or an expression. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from runner.message.characters import outside_gsm7
from runner.message.links import TemplateLink, template_links

# The source of what neither the template nor a column holds.
COMPUTED = "an expression of the template"


@dataclass(frozen=True, slots=True)
class TemplateText:
    """A piece of the template's own text, and its first line.

    `certain` says that every message has it; otherwise it is in a condition, a loop or an expression.
    """

    text: str
    line: int
    certain: bool


class Origins:
    """Tells which line of the template or which column a character is from. Costs nothing for GSM-7 texts.

    `own_text` is all of the template's own text: what in a message isn't in it comes from a row.

    Jinja doesn't keep track, so this counts: what every text has from the template, then what the columns hold, then
    what the template may have added.
    """

    def __init__(self, literals: Iterable[TemplateText]) -> None:
        self._certain: dict[str, Counter[str]] = {}
        self._possible: dict[str, Counter[str]] = {}
        links: list[TemplateLink] = []
        texts: list[str] = []
        for literal in literals:
            texts.append(literal.text)
            into = self._certain if literal.certain else self._possible
            for index, character in outside_gsm7(literal.text):
                line = literal.line + literal.text.count("\n", 0, index)
                into.setdefault(character, Counter())[f"the template, line {line}"] += 1
            links += template_links(literal.text, literal.line)
        self.links: tuple[TemplateLink, ...] = tuple(links)
        self.own_text = "\n".join(texts)

    def of(self, character: str, times: int, columns: Mapping[str, str]) -> dict[str, int]:
        """Source → how many of the `times` that the text holds `character` are from there."""
        held = _held(character, columns)
        found: dict[str, int] = {}
        left = times
        for sources in (self._certain.get(character), held, self._possible.get(character)):
            for source, most in (sources or {}).items():
                taken = min(most, left)
                if taken:
                    found[source] = found.get(source, 0) + taken
                    left -= taken
        if left:  # a field that is used twice, a loop, or a filter that made the character
            source = next(iter(held), next(iter(found), COMPUTED))
            found[source] = found.get(source, 0) + left
        return found


def _held(character: str, columns: Mapping[str, str]) -> dict[str, int]:
    """How often each column holds it, or else its other case: `upper` makes Ë of ë."""
    for form in (character, character.lower(), character.upper()):
        held = {f"the column {column}": value.count(form) for column, value in columns.items() if form in value}
        if held:
            return held
    return {}
