"""A recipient's text: its encoding, its segments, and what a person should know of it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

# The provider cuts off what is longer, without a word, and sends the rest.
MAX_SEGMENTS: Final = 10


class Encoding(StrEnum):
    """How a text travels. In a campaign AUTO lets the text decide; in a plan only the other two occur."""

    AUTO = "AUTO"
    GSM7 = "GSM7"
    UCS2 = "UCS2"


class RemarkKind(StrEnum):
    """What a person should know of a text that will be sent all the same."""

    REPLACED = "replaced"  # smart encoding put a character's likeness in GSM-7 in its place
    REPLACEABLE = "replaceable"  # forces UCS-2, and smart encoding would have replaced it
    FORCES_UCS2 = "forces_ucs2"  # forces UCS-2, and has no likeness
    PLAIN_HTTP = "plain_http"  # a link without encryption
    LONG_LINK = "long_link"  # a link that takes much of a segment
    BROKEN_LINK = "broken_link"  # a link with a space in it, put there by a field


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing about one text. `subject` is the character or link in words, `source` where it comes from.

    `source` is "the template, line 3" or "the column first_name".
    """

    kind: RemarkKind
    subject: str
    source: str
    times: int = 1


@dataclass(frozen=True, slots=True)
class Text:
    """A rendered text and what it costs. `encoding` is GSM7 or UCS2; `segments` is 1 to 10.

    `saved` are the segments that smart encoding saved, or would have saved where it is off. `note` says in words what
    it replaced.
    """

    text: str
    encoding: Encoding
    segments: int
    saved: int = 0
    note: str | None = None
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """What will be sent to one recipient. `message_id` is unique in the run and holds no personal data.

    `zones` are the IANA time zones in all of which it must be inside of the sending hours; empty when the campaign has
    none, or has them in one zone for all.
    """

    row: int
    key: str
    destination: str
    country: str | None
    text: str
    encoding: Encoding
    segments: int
    message_id: str
    zones: tuple[str, ...] = ()
