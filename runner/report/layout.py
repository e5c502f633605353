"""What the page is laid out from: sections with their words, figures and tables."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

ACROSS, HALF = {"wide": 850, "narrow": 310}, {"half": 360}
"""CSS pixels of a chart without its labels: across the page or a phone; or in half
of the page, which is all of a phone."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a whole. `colour` is a CSS colour; `share` words such as `2.4%`."""

    name: str
    count: int
    share: str
    colour: str = ""
    words: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing (one, or one for wide and one for narrow screens) with what stands above and below it."""

    title: str
    drawings: Sequence[Markup]
    words: str = ""
    legend: Sequence[Part] = ()

    @property
    def is_across(self) -> bool:
        """Whether it has a drawing as wide as the page."""
        return len(self.drawings) == len(ACROSS)


@dataclass(frozen=True, slots=True)
class Bill:
    """What something cost. `is_total`: it is about all of the messages, and worth a key figure."""

    what: str
    amount: str
    words: str = ""
    is_total: bool = False


@dataclass(slots=True)
class Section:
    """Part of the page under a heading of its own. `words` stand in the place of figures that aren't there yet."""

    name: str
    title: str
    words: str = ""
    figures: list[Figure] = field(default_factory=list)
    tables: list[Markup] = field(default_factory=list)
    bills: Sequence[Bill] = ()
