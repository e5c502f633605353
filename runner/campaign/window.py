"""The section `window` of a campaign: sending hours."""

from typing import Annotated

from pydantic import AfterValidator, Field

from runner.campaign import times
from runner.campaign.fields import Closing, Day, Opening, choice, not_empty, parsed, schema, unique
from runner.campaign.section import Section
from runner.models import Outside
from runner.models import Window as SendingHours


class Window(Section):
    """Sending hours."""

    opens: Opening = Field(
        alias="from", description="When they begin, in quotes: YAML would read 21:00 as a number.", examples=["09:00"]
    )
    closes: Closing = Field(
        alias="to",
        description='When they end, in quotes; up to "24:00". Not after from: they go on past midnight.',
        examples=["20:00"],
    )
    days: Annotated[
        tuple[Annotated[Day, choice(Day), schema(enum=list(Day))], ...],
        AfterValidator(unique),
        AfterValidator(not_empty),
    ] = Field(
        default=tuple(Day),
        description="The days on which they begin. Absent: every day.",
        examples=[["mon", "tue", "wed", "thu", "fri"]],
    )
    zone: Annotated[str, parsed(times.window_zone), schema(minLength=1)] | None = Field(
        default=None,
        description="The IANA time zone in which they count, or recipient: each recipient's own, and where that may be "
        "one of several, inside in all of them. Absent: the campaign's timezone.",
        examples=["recipient"],
    )
    outside: Annotated[Outside, choice(Outside), schema(enum=list(Outside))] = Field(
        default=Outside.WAIT,
        description="What becomes of a message whose turn comes outside: wait (the run sleeps until they begin), skip "
        "(it is left out), schedule (the provider sends it when they begin).",
        examples=["wait"],
    )

    def hours(self, campaign_zone: str) -> SendingHours:
        """The window with its zone filled in; None there means each recipient's own."""
        zone = None if self.zone == times.RECIPIENT_ZONE else self.zone or campaign_zone
        days = frozenset(list(Day).index(day) for day in self.days)
        return SendingHours(self.opens, self.closes, days, zone, self.outside)
