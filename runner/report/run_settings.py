"""run.json: what the campaign asked for as the newest session began, for the report; kept in the run's folder."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import orjson

from runner.base.files import write_atomically
from runner.campaign import Campaign
from runner.message.redact import redact
from runner.plan.inputs import Inputs
from runner.plan.summary import PlanSummary
from runner.prices.costs import plain


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What the report says of a run beyond its results.

    `rate` is as the campaign file has it (`200/s`), `per_second` the same as a number. `template` is its source;
    `example` the first text, `example_masked` the same with every character that isn't the template's own redacted.
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

    @classmethod
    def of(cls, inputs: Inputs, summary: PlanSummary) -> Self:
        """What the campaign asks for, with the first text of its plan."""
        campaign, message = inputs.campaign, inputs.campaign.message
        text = summary.samples[0][2].text if summary.samples else None
        prices = inputs.prices
        return cls(
            file=inputs.file.path.name,
            recipients=campaign.recipients.file.name,
            rate=str(campaign.rate),
            per_second=campaign.rate.per_second,
            template_name=message.template.name if message.template else "message.text",
            template=_template(campaign),
            example=None if campaign.report.mask else text,
            example_masked=redact(text, inputs.composer.template.origins.own_text) if text is not None else None,
            source=message.source,
            currency=prices.currency if prices else None,
            # The highest price of each country that occurs.
            prices={row.country: plain(row.price.high) for row in summary.costs.rows() if row.price is not None},
            tracked=message.conversion_tracking is True,
            with_receipts=campaign.awaits_receipts,
            mask=campaign.report.mask,
            formats=tuple(kind.value for kind in campaign.report.formats),
        )

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """What was written. None where nothing was, by a version before this file, or where it can't be read any more:
        the report is made without it.
        """
        try:
            return cls.from_bytes(path.read_bytes())
        except (OSError, ValueError):
            return None

    def write(self, path: Path) -> None:
        """Write the file. It holds a text, so it is its owner's alone. Raises StoppedError."""
        write_atomically(path, self.as_bytes())

    def as_bytes(self) -> bytes:
        # The name of a file can be no UTF-8, and JSON has no other.
        values = {
            name: value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
            for name, value in asdict(self).items()
        }
        return orjson.dumps(values, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Raises ValueError when the data isn't what `as_bytes` makes."""
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


def asks_to_mask(settings: RunSettings | None, path: Path) -> bool:
    """Whether the report files must show no numbers. Where the file can't be read, nobody knows, so they don't."""
    return settings.mask if settings else path.exists()


def _template(campaign: Campaign) -> str:
    if campaign.message.template is None:
        return campaign.message.text or ""
    try:
        return campaign.message.template.read_text(encoding="utf-8-sig", errors="replace")
    except OSError:  # moved since it was read: that must not keep the run from beginning
        return ""


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
