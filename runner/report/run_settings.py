"""run.json: the campaign's settings at the start of the newest session, for the report."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, Self, get_origin, get_type_hints

from runner.base.files import write_atomically
from runner.campaign.values import threshold
from runner.files.sheet_rows import SheetRows
from runner.message.redact import redact
from runner.prices.costs import plain

if TYPE_CHECKING:
    from runner.plan.inputs import Inputs
    from runner.plan.summary import PlanSummary

# What a finished run may have, if its settings aren't known.
DEFAULT_THRESHOLDS = {"rejected": "0", "unknown": "0"}


@dataclass(frozen=True, slots=True)
class RunSettings:
    """The settings of a run that its report shows.

    `rate` is the campaign file's (`200/s`), `per_second` the same as a number. `template` is the template's source;
    `example` is the first text, and `example_masked` the same with all characters redacted that aren't from the
    template. `prices` has decimal texts by country (alpha-2): the highest operator price of one segment, in `currency`.
    `with_receipts`: delivery receipts are expected. `mask`: no report file may show a number or a text. `sent_to`: the
    URL of a server on this computer that some or all messages were sent to, instead of the provider. `thresholds`:
    limits as text, `2%` or `10`, by name: rejected, unknown, undelivered. `sheet_rows`: the row numbers that people
    see.
    """

    file: str
    recipients: str
    rate: str
    per_second: int | float
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
    sent_to: str | None = None
    thresholds: Mapping[str, str] = field(default_factory=DEFAULT_THRESHOLDS.copy)
    sheet_rows: SheetRows = field(default_factory=SheetRows)

    @classmethod
    def of(cls, inputs: "Inputs", summary: "PlanSummary", sent_to: str | None = None) -> Self:
        """The campaign's settings, with the first text of its plan."""
        campaign, message = inputs.campaign, inputs.campaign.message
        text = summary.samples[0][2].text if summary.samples else None
        prices = inputs.prices
        return cls(
            file=inputs.file.path.name,
            recipients=campaign.recipients.file.name,
            rate=str(campaign.rate),
            per_second=campaign.rate.per_second,
            template_name=message.template.name if message.template else "message.text",
            template=inputs.composer.template.source,
            example=None if campaign.report.mask else text,
            example_masked=redact(text, inputs.composer.template.origins.own_text) if text is not None else None,
            source=message.source,
            currency=prices.currency if prices else None,
            # The highest price of each country in the plan.
            prices={row.country: plain(row.price.high) for row in summary.costs.rows() if row.price is not None},
            tracked=message.conversion_tracking is True,
            with_receipts=campaign.awaits_receipts,
            mask=campaign.report.mask,
            formats=tuple(kind.value for kind in campaign.report.formats),
            sent_to=sent_to,
            thresholds=campaign.thresholds.as_texts(),
            sheet_rows=summary.sheet_rows,
        )

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """The settings in a file. None if it is missing or invalid: the report is made without them."""
        try:
            found = json.loads(path.read_bytes())
            starts = [(int(row), int(number)) for row, number in found.get("sheet_rows", {}).get("starts", ())]
            settings = cls(**found | {"sheet_rows": SheetRows(starts)})
            settings = replace(settings, formats=tuple(settings.formats))
            is_right = all(isinstance(getattr(settings, name), kind) for name, kind in _kinds().items())
            texts = (*settings.formats, *settings.prices.values())
            for text in settings.thresholds.values():
                threshold(text)
        except (OSError, ValueError, TypeError, AttributeError):
            return None
        return settings if is_right and all(isinstance(text, str) for text in texts) else None

    def write(self, path: Path) -> None:
        """Write the file, readable by its owner alone, because it has a text. Raises StoppedError if that fails."""
        content = json.dumps(asdict(self), ensure_ascii=False, indent=2)
        # A file name may be invalid UTF-8, which JSON can't contain.
        write_atomically(path, content.encode("utf-8", "replace") + b"\n")


def asks_to_mask(settings: RunSettings | None, path: Path) -> bool:
    """Whether the report files must be masked. True if run.json exists but can't be read."""
    return settings.mask if settings else path.exists()


def _kinds() -> dict[str, Any]:
    hints = get_type_hints(RunSettings)
    return {name: hint if isinstance(hint, UnionType) else get_origin(hint) or hint for name, hint in hints.items()}
