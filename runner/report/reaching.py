"""How far messages got, as receipts tell, and what effect they had, as the user tells."""

from markupsafe import Markup

from runner.models import ConversionOutcome, DeliveryState, Status
from runner.provider.delivery import ADVICE, AT_OPERATOR, Code, Verdict, code_of
from runner.report import charts
from runner.report.charts import REACH_COLOURS
from runner.report.countries import OTHERS, listed_countries
from runner.report.departures import Durations
from runner.report.drawing import drawn
from runner.report.facts import Facts
from runner.report.figures import Figures, Reach
from runner.report.layout import HALF, Figure, Part, Section
from runner.report.tables import Column, table
from runner.text import seconds_in_words, share, shown

MOST_CODES = 20

_STATES = {
    DeliveryState.QUEUED: "queued by the provider", DeliveryState.SENT: "sent on to the operator",
    DeliveryState.DELIVERED: "delivered to the phone", DeliveryState.READ: "read",
    DeliveryState.UNDELIVERED: "not delivered", DeliveryState.REJECTED: "rejected after all",
    DeliveryState.FAILED: "failed", DeliveryState.CANCELLED: "cancelled before it was sent",
    DeliveryState.UNKNOWN: "in a state that isn't known",
}  # fmt: skip


def delivery(figures: Figures, facts: Facts | None) -> Section:
    """How far accepted messages got, as far as receipts tell."""
    section = Section("delivery", "Delivery")
    if not figures.has_receipts:
        how = "`campaign receipts` takes them while it runs, `campaign receipts --load FILE` from a file"
        asked = facts is not None and facts.with_receipts
        section.words = (
            f"No receipts yet: {how if asked else f'this campaign awaits none; its key receipts says how, and {how}'}."
        )
        return section
    accepted, reach = figures.accepted, figures.reach
    legend = [
        Part(group, count, share(count, accepted), REACH_COLOURS[group]) for group in Reach if (count := reach[group])
    ]
    words = ", ".join(f"{part.name} {part.count:,} ({part.share})" for part in legend) + "."
    title = "How far accepted messages got"
    listed = [(name, one) for name, one in listed_countries(figures.countries) if one.by_status[Status.ACCEPTED]]
    drawings = drawn(charts.reach(listed), "reach", title=title, words=words, widths=HALF)
    section.figures.append(Figure(title, drawings, "", legend))
    if figures.to_delivery:
        section.figures.append(_took(figures.to_delivery, "delivery", "delivered", "Time to delivery"))
    states = sorted(figures.states.items(), key=lambda item: (-item[1], str(item[0])))
    rows = [[_state(*state), f"{count:,}", share(count, accepted)] for state, count in states[:MOST_CODES]]
    columns = [Column("state"), Column("messages"), Column("of accepted")]
    section.tables.append(table("by-state", "Accepted messages by the provider's state", columns, rows))
    if figures.errors:
        section.tables.append(_errors(figures))
    return section


def _state(state: str | None, detail: str | None) -> str:
    if state is None:
        return "no receipt yet"
    if state == DeliveryState.DELIVERED and detail == AT_OPERATOR:
        return "delivered to the operator"
    try:
        words = _STATES[DeliveryState(state)]
    except ValueError:
        return shown(state, 40)
    return "rejected by the operator" if detail == "rejected_by_operator" else words


def _errors(figures: Figures) -> Markup:
    """Messages that were not delivered, by the receipts' error code."""
    failed = sum(figures.errors.values())
    found = sorted(figures.errors.items(), key=lambda item: (-item[1], -1 if item[0] is None else item[0]))
    rows = []
    for number, count in found[:MOST_CODES]:
        code = code_of(number) if number is not None else Code("no code was told", Verdict.UNSPECIFIED)
        rows.append([
            "–" if number is None else str(number), code.words, code.verdict.value, f"{count:,}",
            share(count, failed), ADVICE[code.verdict],
        ])  # fmt: skip
    if rest := sum(count for _, count in found[MOST_CODES:]):
        rows.append([OTHERS, "", "", f"{rest:,}", share(rest, failed), ""])
    columns = [
        Column("code"), Column("means", is_number=False), Column("kind", is_number=False), Column("messages"),
        Column("of these"), Column("what to do", is_number=False),
    ]  # fmt: skip
    return table("by-error", "Messages that were not delivered, by error code", columns, rows)


def conversion(figures: Figures, facts: Facts | None, run: str) -> Section | None:
    """What the user told of the messages' effect. None where nobody asked for it."""
    if not figures.outcomes and not (facts and facts.tracked):
        return None
    section = Section("conversion", "Conversion")
    if not figures.outcomes:
        section.words = (
            f"No conversion is told yet: `campaign feedback {run} FILE` tells the provider, and shows it here."
        )
        return section
    successes, failures = figures.outcomes[ConversionOutcome.SUCCESS], figures.outcomes[ConversionOutcome.FAILURE]
    delivered = figures.reach[Reach.DELIVERED]
    rest = max(figures.accepted - successes - failures, 0)
    section.words = (
        f"{successes:,} converted: {share(successes, figures.accepted)} of the accepted messages"
        + (f", {share(successes, delivered)} of the delivered" if delivered else "")
        + f". {failures:,} did not, and of {rest:,} nothing is told."
    )
    if figures.to_conversion:
        section.figures.append(_took(figures.to_conversion, "conversion", "converted", "Time to conversion"))
    return section


def _took(durations: Durations, name: str, done: str, title: str) -> Figure:
    half, most = (seconds_in_words(durations.percentile(percent) / 1000) for percent in (50, 95))
    words = f"Of {durations.total:,} that were {done}, half were within {half}, 95% within {most}."
    drawings = drawn(charts.took(durations, f"of those {done}"), f"to-{name}", title=title, words=words, widths=HALF)
    return Figure(title, drawings, words)
