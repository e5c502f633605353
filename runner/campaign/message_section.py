"""The campaign section `message`: the text and the message options.

A key marked SENT goes to the provider with every message. The request's options, the fingerprint and the message about
changed options follow from the mark.
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

# Marks a key whose value is sent to the provider.
SENT: Final = "sent"

SenderId = Annotated[str, pattern(values.source, values.SOURCE_PATTERN, "a sender ID")]


class MessageSection(Section):
    """The text and the message options."""

    template: fields.FilePath | None = optional(
        "The file with the Jinja template of the text, relative to the campaign file.", "../templates/welcome.txt.j2"
    )
    text: Annotated[str, TextRule(values.message_text)] | None = optional(
        "The Jinja template itself, instead of a template file.", "Hi {{ first_name }}"
    )
    source: Annotated[SenderId | None, SENT] = optional(
        "The sender ID that phones show: at most 11 characters, or at most 16 digits.", "ACME"
    )
    encoding: Annotated[Encoding, choice(Encoding), SENT] = setting(
        "AUTO: GSM-7 if the text allows it, else UCS-2. GSM7: exclude texts with other characters. UCS2: always UCS-2.",
        "AUTO",
        Encoding.AUTO,
    )
    smart_encoding: StrictBool = setting(
        "Replace typographic quotes, dashes, spaces and similar characters with plain ones if the whole text then fits "
        "GSM-7. Has no effect with encoding UCS2.",
        True,
        False,
    )
    missing: Annotated[fields.Missing, choice(fields.Missing)] = setting(
        "What to do if a field used in the text is empty. exclude: exclude the row. error: stop the plan.",
        "exclude",
        fields.Missing.EXCLUDE,
    )
    require_text: Annotated[tuple[Annotated[str, TextRule(values.required_text)], ...], UNIQUE] = setting(
        "Words that each text must contain, in upper or lower case, such as opt-out instructions. Texts without them "
        "are excluded. If no text contains them, the plan is refused.",
        ["STOP"],
        (),
    )
    max_segments: fields.Segments = setting("Exclude messages with more segments.", 2, MAX_SEGMENTS)
    conversion_tracking: Annotated[StrictBool | None, SENT] = optional(
        "true: send track=Outcome. false: send track=None. Absent: the sub-account's setting applies.", True
    )
    scheduled: Annotated[fields.Moment | None, SENT] = optional(
        "When the provider delivers the message: a date and time with its UTC offset, or a duration after sending "
        "such as 30min, 4h, 2d. At most 7 days ahead.",
        "2026-12-01T10:00:00+08:00",
    )
    expiry: Annotated[fields.Moment | None, SENT] = optional(
        "When the provider stops trying to deliver: a date and time with its UTC offset, or a duration after sending.",
        "4h",
    )
    dlr_callback_url: Annotated[fields.WebAddress | None, SENT] = optional(
        "The URL to which the provider posts delivery receipts.", "https://example.com/receipts"
    )
    client_ip: Annotated[fields.IpAddress | None, SENT] = optional(
        "The client IP address to send to the provider.", "203.0.113.7"
    )

    @model_validator(mode="after")
    def _has_one_text(self) -> Self:
        if self.template is not None and self.text is not None:
            raise InvalidValue("can't be combined with template", "remove one of them", key="text")
        if self.template is None and self.text is None:
            remedy = 'add a line such as "template: ../templates/welcome.txt.j2"'
            raise InvalidValue("needs template or text", remedy)
        return self

    @model_validator(mode="after")
    def _is_in_time(self) -> Self:
        start, end = self.scheduled, self.expiry
        if isinstance(start, timedelta) and start > MAX_AHEAD:
            raise InvalidValue("more than 7 days ahead", "write 7d or less", key="scheduled")
        if is_not_after(end, start):
            raise InvalidValue("must be after scheduled", "write a later time, or remove the key", key="expiry")
        return self


# The keys sent to the provider, by attribute: `dlr_callback_url` is `dlrCallbackUrl` in the file.
SENT_KEYS: Final[Mapping[str, str]] = {
    name: field.alias or name for name, field in MessageSection.model_fields.items() if SENT in field.metadata
}
