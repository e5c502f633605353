"""One row of the recipient file, judged by everything but the other rows."""

from collections.abc import Sequence

from runner.audience import kinds
from runner.audience.phone import SET_COUNTRY, Number, is_country, normalise, not_a_country
from runner.audience.spec import AudienceSpec
from runner.audience.suppression import Suppression
from runner.audience.written import quoted, why_no_key
from runner.models import Exclusion, ExclusionReason, Row


class Judge:
    """Makes a `Row` of a data row's cells. Details name the column, so that the user knows where to look.

    A row is excluded for the first of these that applies: its number is empty or invalid, of a kind that is not sent
    to, of a country that is not allowed; the person is suppressed; the key is empty; the time zone is not known though
    sending hours depend on it.
    """

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
        exclusion = self._kind(found) or self._country(found) or self._person(found, key)
        zones: tuple[str, ...] = ()
        if spec.wants_zones and exclusion is None:
            zones = self._zones(fields, found)
            exclusion = None if zones else self._zone_unknown(fields, found)
        if not spec.key:
            key = found.destination
        return Row(row, fields, key, found.destination, found.country, exclusion, found.note, zones)

    def _number(self, fields: dict[str, str]) -> Number | Exclusion:
        spec = self._spec
        country = spec.country
        if spec.country_column and (written := fields[spec.country_column]):
            country = written.upper()
            if not is_country(country):
                words = f"{spec.country_column}: {not_a_country(written)}"
                return Exclusion(ExclusionReason.INVALID_NUMBER, words)
        if not fields[spec.phone]:
            return Exclusion(ExclusionReason.INVALID_NUMBER, f"{spec.phone} is empty")
        found = normalise(fields[spec.phone], country)
        if isinstance(found, Exclusion):
            fill_in = f"fill in {spec.country_column}" if spec.country_column else SET_COUNTRY
            detail = found.detail.replace(SET_COUNTRY, fill_in)
            return Exclusion(found.reason, f"{spec.phone}: {detail}")
        return found

    def _kind(self, number: Number) -> Exclusion | None:
        if number.kind in self._spec.types:
            return None
        fixed = number.kind == kinds.FIXED_LINE
        reason = ExclusionReason.NOT_MOBILE if fixed else ExclusionReason.NUMBER_TYPE
        words = f"{number.destination} is {kinds.IN_WORDS[number.kind]}"
        return self._exclusion(reason, f"{words}; recipients.types can allow {number.kind}")

    def _country(self, number: Number) -> Exclusion | None:
        spec = self._spec
        if spec.countries and number.country not in spec.countries:
            rule = f"; recipients.countries allows {', '.join(sorted(spec.countries))}"
        elif number.country in spec.deny_countries:
            rule = "; recipients.denyCountries leaves them out"
        else:
            return None
        home = f"is a number of {number.country}" if number.country else "belongs to no country"
        return self._exclusion(ExclusionReason.COUNTRY_NOT_ALLOWED, f"{number.destination} {home}{rule}")

    def _person(self, number: Number, key: str | None) -> Exclusion | None:
        if listed := self._suppression.find_number(number.destination):
            return self._exclusion(ExclusionReason.SUPPRESSED, f"{number.destination} is listed in {listed}")
        if not self._spec.key:
            return None
        if key is None:
            words = f"{self._spec.key} is empty, and it is the key that tells persons apart"
            return Exclusion(ExclusionReason.MISSING_FIELD, words)
        if why := why_no_key(key):
            return Exclusion(ExclusionReason.MISSING_FIELD, f"{self._spec.key}: {why}")
        if listed := self._suppression.find_key(key):
            words = f"{self._spec.key}: {quoted(key)} is listed in {listed}"
            return Exclusion(ExclusionReason.SUPPRESSED, words)
        return None

    def _zones(self, fields: dict[str, str], number: Number) -> tuple[str, ...]:
        """The row's own zone or else the number's; () when that is not known."""
        from runner.audience.zones import is_zone, zones_of

        if self._spec.zone_column and (zone := fields[self._spec.zone_column]):
            return (zone,) if is_zone(zone) else ()
        return zones_of(number)

    def _zone_unknown(self, fields: dict[str, str], number: Number) -> Exclusion:
        from runner.audience.zones import not_a_zone

        column = self._spec.zone_column
        if column and (zone := fields[column]):
            return Exclusion(ExclusionReason.UNKNOWN_ZONE, f"{column}: {not_a_zone(zone)}")
        words = f"where the phone of {number.destination} is isn't known, so its sending hours aren't"
        remedy = f"fill in {column}" if column else "name a column of time zones with recipients.zone"
        return self._exclusion(ExclusionReason.UNKNOWN_ZONE, f"{words}; {remedy}")

    def _exclusion(self, reason: ExclusionReason, words: str) -> Exclusion:
        return Exclusion(reason, f"{self._spec.phone}: {words}")
