"""Judge each row of the recipient file, by the rules that need neither other rows nor suppression lists."""

from textwrap import shorten

from runner.audience.row_batch import RowBatch
from runner.audience.spec import AudienceSpec
from runner.base.exclusions import Exclusion, ExclusionReason
from runner.base.placeholders import NO_VALUES
from runner.base.text import joined, quoted
from runner.base.time_zones import is_zone, not_a_zone
from runner.files.source import Cells, UnreadableRow
from runner.numbers.digits import why_no_key
from runner.numbers.phone import SET_COUNTRY, Number, normalise, not_a_country
from runner.numbers.ranges import FIXED_LINE, KIND_LABELS


class Judge:
    """Judges data rows by their cells. Details name the column, so that the user knows where to look.

    A row is excluded for the first reason that applies: it can't be read; `recipients.where` is false; its number is
    empty or invalid, of an excluded type, or of a country that is not allowed; the key is empty or damaged; the time
    zone is unknown but sending hours need it. If the numbers are in several columns, the first usable one counts.
    """

    def __init__(self, spec: AudienceSpec) -> None:
        header = spec.header
        self._spec = spec
        self._phones = [(column, header.index(column)) for column in spec.phones]
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
                numbers, exclusion = self._numbers(cells)
                if numbers:
                    column, found = numbers[0]
                    destination, country, note = found.destination, found.country, found.note
                    if len(self._phones) > 1:
                        batch.numbers[index] = [(column, number.destination) for column, number in numbers]
                    exclusion = exclusion or self._key_trouble(key)
                    if self._spec.wants_zones and exclusion is None:
                        where = self._zones(cells, column, found)
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

    def _numbers(self, cells: Cells) -> tuple[list[tuple[str, Number]], Exclusion | None]:
        """The row's valid numbers, each with its column: the first usable one, then the others in order.

        If no number is usable, also the reason: that of the first filled column, with the words of all of them.
        """
        valid: list[tuple[str, Number]] = []
        unusable: list[Exclusion] = []
        is_usable = False
        for column, place in self._phones:
            if not cells[place]:
                continue
            found = self._number(cells, column, place)
            if isinstance(found, Exclusion):
                unusable.append(found)
            elif wrong := self._kind(column, found) or self._country(column, found):
                unusable.append(wrong)
                valid.append((column, found))
            else:
                valid.insert(len(valid) if is_usable else 0, (column, found))
                is_usable = True
        if is_usable:
            return valid, None
        if unusable:
            return valid, Exclusion(unusable[0].reason, "; ".join(wrong.detail for wrong in unusable))
        empty = "is empty" if len(self._phones) == 1 else "are empty"
        return [], Exclusion(ExclusionReason.INVALID_NUMBER, f"{joined(self._spec.phones)} {empty}")

    def _number(self, cells: Cells, column: str, place: int) -> Number | Exclusion:
        spec = self._spec
        country = spec.country
        if self._country_column is not None:
            country = cells[self._country_column] or country
        found = normalise(cells[place], country)
        if isinstance(found, Number):
            return found
        if country is not None and found.detail == not_a_country(country):
            return Exclusion(found.reason, f"{spec.country_column}: {found.detail}")
        fill_in = f"fill in {spec.country_column}" if spec.country_column else SET_COUNTRY
        return Exclusion(found.reason, f"{column}: {found.detail.replace(SET_COUNTRY, fill_in)}")

    def _kind(self, column: str, number: Number) -> Exclusion | None:
        if number.kind in self._spec.types:
            return None
        fixed = number.kind == FIXED_LINE
        reason = ExclusionReason.NOT_MOBILE if fixed else ExclusionReason.NUMBER_TYPE
        words = f"{column}: {number.destination} is {KIND_LABELS[number.kind]}"
        return Exclusion(reason, f"{words}; to send to it, add {number.kind} to recipients.types")

    def _country(self, column: str, number: Number) -> Exclusion | None:
        spec = self._spec
        if spec.countries and number.country not in spec.countries:
            rule = f"; recipients.countries allows only {', '.join(sorted(spec.countries))}"
        elif number.country in spec.deny_countries:
            rule = "; recipients.denyCountries excludes this country"
        else:
            return None
        home = f"is a number in {number.country}" if number.country else "is in no country"
        return Exclusion(ExclusionReason.COUNTRY_NOT_ALLOWED, f"{column}: {number.destination} {home}{rule}")

    def _key_trouble(self, key: str | None) -> Exclusion | None:
        column = self._spec.key
        if not column:
            return None
        if key is None:
            words = f"{column} is empty, but it is the key (recipients.key)"
            return Exclusion(ExclusionReason.MISSING_FIELD, words)
        if key in NO_VALUES:
            # All rows with this word would count as one person.
            words = f"{column}: {quoted(key)} stands for a missing value; write the key (recipients.key) into the cell"
            return Exclusion(ExclusionReason.MISSING_FIELD, words)
        why = why_no_key(key)
        return Exclusion(ExclusionReason.MISSING_FIELD, f"{column}: {why}") if why else None

    def _zones(self, cells: Cells, phone: str, number: Number) -> tuple[str, ...] | Exclusion:
        """The row's zone, or else the number's zones."""
        from runner.numbers.zones import zones_of

        column = self._spec.zone_column
        if self._zone_column is not None and (zone := cells[self._zone_column]):
            return (
                (zone,) if is_zone(zone) else Exclusion(ExclusionReason.UNKNOWN_ZONE, f"{column}: {not_a_zone(zone)}")
            )
        if zones := zones_of(number):
            return zones
        words = f"{phone}: the time zone of {number.destination} is unknown"
        remedy = f"fill in {column}" if column else "name a column of time zones with recipients.zone"
        return Exclusion(ExclusionReason.UNKNOWN_ZONE, f"{words}; {remedy}")
