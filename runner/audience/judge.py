"""One row of the recipient file, judged by everything but the other rows."""

from collections.abc import Sequence

from runner.audience.phone import Number, is_country, normalise
from runner.audience.spec import AudienceSpec
from runner.audience.suppression import Suppression
from runner.models import Exclusion, ExclusionReason, Row


class Judge:
    """Makes a `Row` of a data row's cells. Details name the column, so that the user knows where to look."""

    def __init__(self, spec: AudienceSpec, header: Sequence[str], suppression: Suppression) -> None:
        self._spec = spec
        self._header = header
        self._suppression = suppression

    def __call__(self, row: int, cells: Sequence[str]) -> Row:
        spec = self._spec
        fields = dict(zip(self._header, cells, strict=True))
        key = fields[spec.key] or None if spec.key else None
        found = self._number(fields)
        if isinstance(found, Exclusion):
            return Row(row, fields, key=key, exclusion=found)
        if not spec.key:
            key = found.destination
        exclusion = self._exclusion(found, key)
        return Row(row, fields, key, found.destination, found.country, exclusion, found.note)

    def _number(self, fields: dict[str, str]) -> Number | Exclusion:
        spec = self._spec
        country = spec.country
        if spec.country_column and (written := fields[spec.country_column]):
            country = written.upper()
            if not is_country(country):
                hint = "GB is the United Kingdom" if country == "UK" else "write two letters, such as SG"
                words = f'{spec.country_column}: "{written}" is not a country code; {hint}'
                return Exclusion(ExclusionReason.INVALID_NUMBER, words)
        if not fields[spec.phone]:
            return Exclusion(ExclusionReason.INVALID_NUMBER, f"{spec.phone} is empty")
        found = normalise(fields[spec.phone], country)
        if isinstance(found, Exclusion):
            return Exclusion(found.reason, f"{spec.phone}: {found.detail}")
        return found

    def _exclusion(self, number: Number, key: str | None) -> Exclusion | None:
        spec = self._spec
        if spec.countries and number.country not in spec.countries:
            home = f"is a number of {number.country}" if number.country else "belongs to no country"
            allowed = ", ".join(sorted(spec.countries))
            words = f"{spec.phone}: {number.destination} {home}; recipients.countries allows {allowed}"
            return Exclusion(ExclusionReason.COUNTRY_NOT_ALLOWED, words)
        if listed := self._suppression.find(number.destination):
            words = f"{spec.phone}: {number.destination} is listed in {listed}"
            return Exclusion(ExclusionReason.SUPPRESSED, words)
        if key is None:
            words = f"{spec.key} is empty, and it is the key that tells persons apart"
            return Exclusion(ExclusionReason.MISSING_FIELD, words)
        return None
