"""Where the messages went."""

from collections.abc import Sequence
from decimal import Decimal

from runner.models import Status
from runner.report.costs import Estimate
from runner.report.figures import Country, Figures, Reach
from runner.report.layout import Section
from runner.report.tables import Column, table
from runner.text import money, share, shown

MOST_COUNTRIES = 15
OTHERS = "others"


def countries(figures: Figures, estimated: Estimate | None) -> Section:
    """Where the messages went."""
    section = Section("countries", "Countries")
    listed = listed_countries(figures.countries)
    if not listed:
        section.words = "No message left."
        return section
    with_receipts, with_outcomes = figures.has_receipts, bool(figures.outcomes)
    columns = [Column("country"), Column("sent"), Column("accepted"), Column("rejected"), Column("unknown")]
    columns += [Column("delivered"), Column("of accepted")] if with_receipts else []
    columns += [Column("converted")] if with_outcomes else []
    columns += [Column("segments")]
    columns += [Column("estimated cost")] if estimated else []
    rows = []
    for name, country in listed:
        accepted, reached = country.by_status[Status.ACCEPTED], country.reach[Reach.DELIVERED]
        row = [name, *(f"{n:,}" for n in (country.sent, accepted, country.by_status[Status.REJECTED],
                                          country.by_status[Status.UNKNOWN]))]  # fmt: skip
        row += [f"{reached:,}", share(reached, accepted)] if with_receipts else []
        row += [f"{country.conversions:,}"] if with_outcomes else []
        row += [f"{country.segments:,}"]
        if estimated:
            row += [_cost(name, country, figures.countries, estimated)]
        rows.append(row)
    section.tables.append(table("by-country", "Messages by country (ISO 3166 codes)", columns, rows))
    return section


def _cost(name: str, country: Country, every: Sequence[Country], estimated: Estimate) -> str:
    several = every[MOST_COUNTRIES - 1 :] if name == OTHERS else [country]
    known = [estimated.by_country[one.country] for one in several if one.country in estimated.by_country]
    return money(sum(known, Decimal(0)), estimated.currency) if known else "no price"


def listed_countries(found: Sequence[Country]) -> list[tuple[str, Country]]:
    """By name, those with the most messages; the rest as one."""
    most = found if len(found) <= MOST_COUNTRIES else found[: MOST_COUNTRIES - 1]
    listed = [(shown(one.country or "not known", 20), one) for one in most]
    if rest := found[len(most) :]:
        others = Country(None)
        for one in rest:
            others.by_status.update(one.by_status)
            others.reach.update(one.reach)
            others.segments += one.segments
            others.conversions += one.conversions
        listed.append((OTHERS, others))
    return listed
