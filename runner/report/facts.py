"""What a report says of a run beyond its results: taken from the campaign as a session begins, kept beside the plan."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import orjson


@dataclass(frozen=True, slots=True)
class Facts:
    """What was asked for, as it was when the newest session began.

    `rate` is as the campaign file has it (`200/s`), `per_second` the same as a number. `template` is its source;
    `example` the first text, `example_masked` the same with every character that isn't the template's own blotted out.
    `prices` are decimal texts by country (alpha-2), of one segment with the dearest operator, in `currency`.
    `with_receipts`: receipts are awaited. `mask`: no report file may show a number or a text.
    """

    file: str
    recipients: str
    rate: str
    per_second: float
    template_name: str
    template: str
    example: str | None = None
    example_masked: str | None = None
    source: str | None = None
    currency: str | None = None
    prices: Mapping[str, str] = field(default_factory=dict)
    tracked: bool = False
    with_receipts: bool = False
    mask: bool = False
    formats: tuple[str, ...] = ()

    def as_bytes(self) -> bytes:
        return orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Raises ValueError (or TypeError, KeyError) when it isn't what `as_bytes` makes."""
        values: dict[str, Any] = orjson.loads(data)
        return cls(**{**values, "formats": tuple(values["formats"])})
