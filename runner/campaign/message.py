"""The section `message` of a campaign: what is sent, and how."""

from datetime import datetime, timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StrictBool, model_validator

from runner.campaign import values
from runner.campaign.fields import FilePath, IpAddress, Missing, Moment, Segments, choice, parsed, schema, unique
from runner.campaign.section import Section
from runner.campaign.times import MAX_AHEAD
from runner.campaign.values import MAX_SEGMENTS, Wrong
from runner.models import Encoding


class Message(Section):
    """What is sent, and how."""

    template: FilePath | None = Field(
        default=None,
        description="The Jinja template of the text; the path is relative to the campaign file.",
        examples=["../templates/welcome.txt.j2"],
    )
    text: Annotated[str, parsed(values.message_text), schema(minLength=1)] | None = Field(
        default=None, description="The Jinja template itself, for short texts.", examples=["Hi {{ first_name }}"]
    )
    source: Annotated[str, parsed(values.source), schema(pattern=values.SOURCE_PATTERN)] | None = Field(
        default=None,
        description="The sender that phones show: at most 11 characters with a letter, at most 16 digits without.",
        examples=["ACME"],
    )
    encoding: Annotated[Encoding, choice(Encoding), schema(enum=list(Encoding))] = Field(
        default=Encoding.AUTO,
        description="AUTO: each text decides. GSM7: leave out texts that need more. UCS2: always.",
        examples=["AUTO"],
    )
    smart_encoding: StrictBool = Field(
        default=False,
        description="Replace typographic quotes, dashes, spaces and the like by their likeness in GSM-7 where the "
        "whole text then needs no UCS-2. Never with encoding UCS2.",
        examples=[True],
    )
    missing: Annotated[Missing, choice(Missing), schema(enum=list(Missing))] = Field(
        default=Missing.EXCLUDE,
        description="When a field that the text needs is empty: exclude the row, or error: the plan fails.",
        examples=["exclude"],
    )
    require_text: Annotated[
        tuple[Annotated[str, parsed(values.required_text), schema(minLength=1)], ...], AfterValidator(unique)
    ] = Field(
        default=(),
        description="Words that each text must hold, whatever their case, such as how to opt out; a text without them "
        "is left out, and a plan in which no text has them is refused.",
        examples=[["STOP"]],
    )
    max_segments: Segments = Field(
        default=MAX_SEGMENTS, description="Leave out messages with more segments.", examples=[2]
    )
    conversion_tracking: StrictBool | None = Field(
        default=None,
        description="true: track=Outcome. false: track=None. Absent: as the sub-account is set.",
        examples=[True],
    )
    scheduled: Moment | None = Field(
        default=None,
        description="When the provider sends: a moment with its offset, or a time after sending such as 30min, 4h, 2d; "
        "at most 7 days ahead.",
        examples=["2026-12-01T10:00:00+08:00"],
    )
    expiry: Moment | None = Field(
        default=None,
        description="When the provider stops trying: a moment with its offset, or a time after sending.",
        examples=["4h"],
    )
    dlr_callback_url: Annotated[str, parsed(values.web_address), schema(pattern="^https?://")] | None = Field(
        default=None, description="Where delivery receipts are posted to.", examples=["https://example.com/receipts"]
    )
    client_ip: IpAddress | None = Field(
        default=None, description="The IP address sent along as the client's.", examples=["203.0.113.7"]
    )

    @model_validator(mode="after")
    def _has_one_text(self) -> Self:
        if self.template is not None and self.text is not None:
            raise Wrong("is given beside template", "keep one of the two", key="text")
        if self.template is None and self.text is None:
            raise Wrong("has neither template nor text", 'add a line such as "template: ../templates/welcome.txt.j2"')
        return self

    @model_validator(mode="after")
    def _is_in_time(self) -> Self:
        start, end = self.scheduled, self.expiry
        if isinstance(start, timedelta) and start > MAX_AHEAD:
            raise Wrong("is more than 7 days ahead", "write at most 7d", key="scheduled")
        is_before_start = (isinstance(start, timedelta) and isinstance(end, timedelta) and end <= start) or (
            isinstance(start, datetime) and isinstance(end, datetime) and end <= start
        )
        if is_before_start:
            raise Wrong("is not after scheduled", "write a later time, or leave it out", key="expiry")
        return self
