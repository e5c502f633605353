"""A recipient's message: its text, encoding and segments, and remarks about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

# The provider cuts off longer texts without a warning, and sends the rest.
MAX_SEGMENTS: Final = 10


class Encoding(StrEnum):
    """The encoding of a text. AUTO, in a campaign, chooses the encoding by the text; a plan has only the other two."""

    AUTO = "AUTO"
    GSM7 = "GSM7"
    UCS2 = "UCS2"


class RemarkKind(StrEnum):
    """What a person should know about a text. The text is sent anyway."""

    REPLACED = "replaced"  # smart encoding replaced a character with a similar one in GSM-7
    REPLACEABLE = "replaceable"  # a character forces UCS-2; smart encoding would replace it
    FORCES_UCS2 = "forces_ucs2"  # a character forces UCS-2, and no similar one is in GSM-7
    PLAIN_HTTP = "plain_http"  # a link without encryption
    LONG_LINK = "long_link"  # a link that takes up much of a segment
    BROKEN_LINK = "broken_link"  # a link that a field's value breaks with a space
    NO_VALUE = "no_value"  # a cell such as NULL or N/A
    GARBLED = "garbled"  # a cell that was read in a wrong encoding, or has HTML entities or escapes
    MENDED = "mended"  # recipients.repair mended a garbled cell


# The kinds that are warnings: what the text has, and what to do about it.
WARNINGS: Final[Mapping[RemarkKind, tuple[str, str]]] = {
    RemarkKind.PLAIN_HTTP: ("an unencrypted link", "use https:// if the site supports it"),
    RemarkKind.LONG_LINK: ("a long link", "use a shortened one to save characters"),
    RemarkKind.BROKEN_LINK: ("a link cut off at a space", "use the filter urlencode in the template"),
    RemarkKind.NO_VALUE: ("a placeholder for a missing value", "clear such cells in the file"),
    RemarkKind.GARBLED: (
        "garbled characters",
        "save the file as UTF-8, or mend its cells with recipients.repair: true",
    ),
}


@dataclass(frozen=True, slots=True)
class Remark:
    """A remark about a text. `subject` describes the character, link or cell; `source` says where it comes from.

    `source` is for example "the template, line 3" or "the column first_name".
    """

    kind: RemarkKind
    subject: str
    source: str
    times: int = 1

    @property
    def warning(self) -> str | None:
        """The remark about this one text in words, if its kind is a warning."""
        if self.kind not in WARNINGS:
            return None
        what, advice = WARNINGS[self.kind]
        return f"{what}: {self.subject} from {self.source}; {advice}"


@dataclass(frozen=True, slots=True)
class Text:
    """A rendered text and its size. `encoding` is GSM7 or UCS2; `segments` is 1 to 10.

    `saved` is how many segments smart encoding saved, or would have saved if it is off. `note` says what it replaced.
    """

    text: str
    encoding: Encoding
    segments: int
    saved: int = 0
    note: str | None = None
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """The message for one recipient. `message_id` is unique in the run and contains no personal data.

    `zones` are IANA time zones: the message may leave only when it is within the sending hours in all of them. Empty if
    the campaign has no sending hours, or the same time zone for everybody.
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
