"""What a report says of a run beyond its results: taken from the campaign as a session begins, kept beside the plan."""

from collections.abc import Iterator, Mapping
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
        # The name of a file can be no UTF-8, and JSON has no other.
        values = {
            name: value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
            for name, value in asdict(self).items()
        }
        return orjson.dumps(values, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Raises ValueError when it isn't what `as_bytes` makes."""
        values = orjson.loads(data)
        if not isinstance(values, dict) or not values.keys() <= _KINDS.keys():
            raise ValueError("it has other fields")
        wrong = [name for name, value in values.items() if not isinstance(value, _KINDS[name])]
        if wrong or not all(isinstance(text, str) for text in _texts(values)):
            raise ValueError(f"it holds something else: {', '.join(wrong) or 'no text'}")
        try:
            return cls(**{**values, "formats": tuple(values.get("formats", ()))})
        except TypeError as error:
            raise ValueError(str(error)) from error


_KINDS: Mapping[str, Any] = {
    **dict.fromkeys(("file", "recipients", "rate", "template_name", "template"), str),
    **dict.fromkeys(("example", "example_masked", "source", "currency"), str | None),
    **dict.fromkeys(("tracked", "with_receipts", "mask"), bool),
    "per_second": int | float,
    "prices": dict,
    "formats": list,
}


def _texts(values: Mapping[str, Any]) -> Iterator[object]:
    yield from values.get("formats", ())
    yield from values.get("prices", {}).values()
