"""The section `message` of a campaign: what is sent, and how.

A key marked SENT goes to the provider with every message: the request's options, the fingerprint and the words for a
changed option follow from the mark.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Final, Self

from pydantic import StrictBool, model_validator

from runner.base.messages import MAX_SEGMENTS, Encoding
from runner.campaign import fields, values
from runner.campaign.fields import UNIQUE, Section, TextRule, choice, optional, pattern, setting
from runner.campaign.times import MAX_AHEAD, is_not_after
from runner.campaign.values import InvalidValue

# Marks a key whose value goes to the provider.
SENT: Final = "sent"

SenderId = Annotated[str, pattern(values.source, values.SOURCE_PATTERN, "a sender id")]


class MessageSection(Section):
    """What is sent, and how."""

    template: fields.FilePath | None = optional(
        "The Jinja template of the text; the path is relative to the campaign file.", "../templates/welcome.txt.j2"
    )
    text: Annotated[str, TextRule(values.message_text)] | None = optional(
        "The Jinja template itself, for short texts.", "Hi {{ first_name }}"
    )
    source: Annotated[SenderId | None, SENT] = optional(
        "The sender that phones show: at most 11 characters with a letter, at most 16 digits without.", "ACME"
    )
    encoding: Annotated[Encoding, choice(Encoding), SENT] = setting(
        "AUTO: each text decides. GSM7: leave out texts that need more. UCS2: always.", "AUTO", Encoding.AUTO
    )
    smart_encoding: StrictBool = setting(
        "Replace typographic quotes, dashes, spaces and the like by their likeness in GSM-7 where the "
        "whole text then needs no UCS-2. Never with encoding UCS2.",
        True,
        False,
    )
    missing: Annotated[fields.Missing, choice(fields.Missing)] = setting(
        "When a field that the text needs is empty: exclude the row, or error: the plan fails.",
        "exclude",
        fields.Missing.EXCLUDE,
    )
    require_text: Annotated[tuple[Annotated[str, TextRule(values.required_text)], ...], UNIQUE] = setting(
        "Words that each text must hold, whatever their case, such as how to opt out; a text without them "
        "is left out, and a plan in which no text has them is refused.",
        ["STOP"],
        (),
    )
    max_segments: fields.Segments = setting("Leave out messages with more segments.", 2, MAX_SEGMENTS)
    conversion_tracking: Annotated[StrictBool | None, SENT] = optional(
        "true: track=Outcome. false: track=None. Absent: as the sub-account is set.", True
    )
    scheduled: Annotated[fields.Moment | None, SENT] = optional(
        "When the provider sends: a moment with its offset, or a time after sending such as 30min, 4h, 2d; "
        "at most 7 days ahead.",
        "2026-12-01T10:00:00+08:00",
    )
    expiry: Annotated[fields.Moment | None, SENT] = optional(
        "When the provider stops trying: a moment with its offset, or a time after sending.", "4h"
    )
    dlr_callback_url: Annotated[fields.WebAddress | None, SENT] = optional(
        "Where delivery receipts are posted to.", "https://example.com/receipts"
    )
    client_ip: Annotated[fields.IpAddress | None, SENT] = optional(
        "The IP address sent along as the client's.", "203.0.113.7"
    )

    @model_validator(mode="after")
    def _has_one_text(self) -> Self:
        if self.template is not None and self.text is not None:
            raise InvalidValue("is given beside template", "keep one of the two", key="text")
        if self.template is None and self.text is None:
            remedy = 'add a line such as "template: ../templates/welcome.txt.j2"'
            raise InvalidValue("has neither template nor text", remedy)
        return self

    @model_validator(mode="after")
    def _is_in_time(self) -> Self:
        start, end = self.scheduled, self.expiry
        if isinstance(start, timedelta) and start > MAX_AHEAD:
            raise InvalidValue("is more than 7 days ahead", "write at most 7d", key="scheduled")
        if is_not_after(end, start):
            raise InvalidValue("is not after scheduled", "write a later time, or leave it out", key="expiry")
        return self


# The keys that go to the provider, by attribute: `dlr_callback_url` is `dlrCallbackUrl` in the file.
SENT_KEYS: Final[Mapping[str, str]] = {
    name: field.alias or name for name, field in MessageSection.model_fields.items() if SENT in field.metadata
}
