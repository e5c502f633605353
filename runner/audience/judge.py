"""Judge each row of the recipient file, by the rules that need neither other rows nor suppression lists."""

from textwrap import shorten

from runner.audience.row_batch import RowBatch
from runner.audience.spec import AudienceSpec
from runner.base.exclusions import Exclusion, ExclusionReason
from runner.base.placeholders import NO_VALUES
from runner.base.text import quoted
from runner.base.time_zones import is_zone, not_a_zone
from runner.files.source import Cells, UnreadableRow
from runner.numbers.digits import why_no_key
from runner.numbers.phone import SET_COUNTRY, Number, is_country, normalise, not_a_country
from runner.numbers.ranges import FIXED_LINE, KIND_LABELS


class Judge:
    """Judges data rows by their cells. Details name the column, so that the user knows where to look.

    A row is excluded for the first reason that applies: it can't be read; `recipients.where` is false; its number is
    empty or invalid, of an excluded type, or of a country that is not allowed; the key is empty or damaged; the time
    zone is unknown but sending hours need it.
    """

    def __init__(self, spec: AudienceSpec) -> None:
        header = spec.header
        self._spec = spec
        self._phone = header.index(spec.phone)
        self._key = header.index(spec.key) if spec.key else None
        self._country_column = header.index(spec.country_column) if spec.country_column else None
        self._zone_column = header.index(spec.zone_column) if spec.zone_column else None
        condition = shorten(spec.source.where or "", 60, placeholder=" …")
        self._filtered = Exclusion(ExclusionReason.FILTERED, f"recipients.where is not true for this row: {condition}")

    def judge(self, batch: RowBatch) -> None:
        """Fill in the columns and exclusions of a batch."""
        matches = batch.matches
        for index, cells in enumerate(batch.cells):
            key = destination = country = note = None
            zones: tuple[str, ...] = ()
            exclusion: Exclusion | None = None
            if isinstance(cells, UnreadableRow):
                exclusion = Exclusion(ExclusionReason.UNREADABLE_ROW, cells.words)
            elif matches is not None and not matches[index]:
                key = self._key_of(cells)
                exclusion = self._filtered
            else:
                key = self._key_of(cells)
                found = self._number(cells)
                if isinstance(found, Exclusion):
                    exclusion = found
                else:
                    destination, country, note = found.destination, found.country, found.note
                    exclusion = self._kind(found) or self._country(found) or self._key_trouble(key)
                    if self._spec.wants_zones and exclusion is None:
                        where = self._zones(cells, found)
                        zones, exclusion = ((), where) if isinstance(where, Exclusion) else (where, None)
                    key = key if self._spec.key else destination
            batch.keys.append(key)
            batch.destinations.append(destination)
            batch.countries.append(country)
            batch.notes.append(note)
            batch.zones.append(zones)
            if exclusion is not None:
                batch.exclusions[index] = exclusion

    def _key_of(self, cells: Cells) -> str | None:
        return cells[self._key] or None if self._key is not None else None

    def _number(self, cells: Cells) -> Number | Exclusion:
        spec = self._spec
        country = spec.country
        if self._country_column is not None and (written := cells[self._country_column]):
            country = written.upper()
            if not is_country(country):
                words = f"{spec.country_column}: {not_a_country(written)}"
                return Exclusion(ExclusionReason.INVALID_NUMBER, words)
        if not cells[self._phone]:
            return Exclusion(ExclusionReason.INVALID_NUMBER, f"{spec.phone} is empty")
        found = normalise(cells[self._phone], country)
        if isinstance(found, Exclusion):
            fill_in = f"fill in {spec.country_column}" if spec.country_column else SET_COUNTRY
            detail = found.detail.replace(SET_COUNTRY, fill_in)
            return Exclusion(found.reason, f"{spec.phone}: {detail}")
        return found

    def _kind(self, number: Number) -> Exclusion | None:
        if number.kind in self._spec.types:
            return None
        fixed = number.kind == FIXED_LINE
        reason = ExclusionReason.NOT_MOBILE if fixed else ExclusionReason.NUMBER_TYPE
        words = f"{number.destination} is {KIND_LABELS[number.kind]}"
        return self._exclusion(reason, f"{words}; to send to it, add {number.kind} to recipients.types")

    def _country(self, number: Number) -> Exclusion | None:
        spec = self._spec
        if spec.countries and number.country not in spec.countries:
            rule = f"; recipients.countries allows only {', '.join(sorted(spec.countries))}"
        elif number.country in spec.deny_countries:
            rule = "; recipients.denyCountries excludes this country"
        else:
            return None
        home = f"is a number in {number.country}" if number.country else "is in no country"
        return self._exclusion(ExclusionReason.COUNTRY_NOT_ALLOWED, f"{number.destination} {home}{rule}")

    def _key_trouble(self, key: str | None) -> Exclusion | None:
        column = self._spec.key
        if not column:
            return None
        if key is None:
            words = f"{column} is empty, but it is the key (recipients.key)"
            return Exclusion(ExclusionReason.MISSING_FIELD, words)
        if key in NO_VALUES:
            # All rows with this word would count as one person.
            words = f"{column}: {quoted(key)} stands for a missing value, but the column is the key (recipients.key)"
            return Exclusion(ExclusionReason.MISSING_FIELD, words)
        why = why_no_key(key)
        return Exclusion(ExclusionReason.MISSING_FIELD, f"{column}: {why}") if why else None

    def _zones(self, cells: Cells, number: Number) -> tuple[str, ...] | Exclusion:
        """The row's zone, or else the number's zones."""
        from runner.numbers.zones import zones_of

        column = self._spec.zone_column
        if self._zone_column is not None and (zone := cells[self._zone_column]):
            return (
                (zone,) if is_zone(zone) else Exclusion(ExclusionReason.UNKNOWN_ZONE, f"{column}: {not_a_zone(zone)}")
            )
        if zones := zones_of(number):
            return zones
        words = f"the time zone of {number.destination} is unknown"
        remedy = f"fill in {column}" if column else "name a column of time zones with recipients.zone"
        return self._exclusion(ExclusionReason.UNKNOWN_ZONE, f"{words}; {remedy}")

    def _exclusion(self, reason: ExclusionReason, words: str) -> Exclusion:
        return Exclusion(reason, f"{self._spec.phone}: {words}")
