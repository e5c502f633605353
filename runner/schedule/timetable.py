"""Estimate when a plan will be sent, and check the campaign's times. Pure: `now` is passed in.

The timetable is an estimate: the provider may be slower than the rate. The rules are enforced when a message leaves.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from runner.base.errors import Problem
from runner.base.options import Outside, Rate, SendingHours
from runner.campaign import Campaign, CampaignFile
from runner.campaign.times import MAX_AHEAD
from runner.schedule.sending_hours import Hours

Zones = tuple[str, ...]

# Longer runs are not simulated to their end.
LONGEST = timedelta(days=366)


@dataclass(slots=True)
class Slot:
    """The messages of one set of time zones: their count, and the estimated start and end of sending (aware, UTC).

    With `outside: schedule`, requests are sent immediately, and `begins` is when the first message is delivered. `ends`
    is None if it is more than a year away. `late` counts messages that would be sent after the sending hours, with
    `outside: skip`.
    """

    zones: Zones
    count: int
    begins: datetime
    ends: datetime | None = None
    late: int = 0


def timetable(window: SendingHours | None, counts: Mapping[Zones, int], rate: Rate, now: datetime) -> list[Slot]:
    """The estimated times for each set of zones, earliest first.

    Zones that are open at the same time share the rate in proportion to their remaining messages, as in an unsorted
    file.
    """
    now = now.astimezone(UTC)
    if window is None or window.outside is Outside.SCHEDULE:
        span = timedelta(seconds=max(sum(counts.values()) - 1, 0) / rate.per_second)
        hours = Hours(window) if window else None
        slots = [
            Slot(zones, count, (hours and hours.opening(zones, now)) or now, now + span)
            for zones, count in counts.items()
        ]
    else:
        slots = _simulated(Hours(window), counts, rate, now)
    return sorted(slots, key=lambda slot: slot.begins)


def _simulated(hours: Hours, counts: Mapping[Zones, int], rate: Rate, now: datetime) -> list[Slot]:
    """Go from one change of sending hours to the next; in between, every open group sends."""
    left: dict[Zones, float] = dict(counts)
    slots: dict[Zones, Slot] = {}
    moment = now
    while left and moment - now < LONGEST:
        openings = {zones: hours.opening(zones, moment) for zones in left}
        left = {zones: count for zones, count in left.items() if openings[zones] is not None}
        opened = [zones for zones in left if openings[zones] == moment]
        changes = [opening for opening in openings.values() if opening is not None and opening > moment]
        for zones in opened:
            slots.setdefault(zones, Slot(zones, counts[zones], moment))
            changes += [closing for closing in [hours.closing(zones, moment)] if closing is not None]
        if not opened:
            if not changes:
                break
            moment = min(changes)
            continue
        waiting = sum(left[zones] for zones in opened)
        done_at = moment + timedelta(seconds=max(waiting - 1, 0) / rate.per_second)
        until = min([done_at, *changes])
        share = 1.0 if until == done_at else min((until - moment).total_seconds() * rate.per_second / waiting, 1.0)
        for zones in opened:
            left[zones] *= 1 - share
            skips = hours.window.outside is Outside.SKIP and hours.closing(zones, moment) == until
            if left[zones] < 0.5 or skips:
                slots[zones].ends, slots[zones].late = until, round(left.pop(zones))
        moment = until
    return list(slots.values())


def end_of(slots: list[Slot], now: datetime) -> datetime | None:
    """The estimated time of the last request; None if it is more than a year away."""
    ends = [slot.ends for slot in slots]
    return max((end for end in ends if end), default=now) if None not in ends else None


def due_of(slots: list[Slot], now: datetime) -> datetime | None:
    """The estimated delivery time of the last message, sent immediately or when its hours begin."""
    end = end_of(slots, now)
    return max([end, *(slot.begins for slot in slots)]) if end else None


def deadline(value: datetime | time | None, campaign: Campaign, now: datetime) -> datetime | None:
    """`notBefore` or `notAfter` as a datetime: a time of day means today, in the campaign's time zone."""
    if not isinstance(value, time):
        return value
    return datetime.combine(now.astimezone(ZoneInfo(campaign.timezone)), value, ZoneInfo(campaign.timezone))


def last_departure(campaign: Campaign, now: datetime) -> tuple[datetime, str] | None:
    """The time after which nothing may be sent, and the key that sets it; None if there is no such time.

    The provider rejects a message sent after its `scheduled` or `expiry`. A rejected message is lost for the run; an
    unsent one is not.
    """
    message = campaign.message
    ends: list[tuple[datetime, str]] = []
    if last := deadline(campaign.not_after, campaign, now):
        ends.append((last, "notAfter"))
    if isinstance(message.scheduled, datetime):
        ends.append((message.scheduled, "message.scheduled"))
    if isinstance(message.expiry, datetime):
        delay = message.scheduled if isinstance(message.scheduled, timedelta) else timedelta()
        ends.append((message.expiry - delay, "message.expiry"))
    return min(ends, default=None)


def moment_problems(file: CampaignFile, now: datetime) -> list[Problem]:
    """Problems of `scheduled` and `expiry` that show before any row is read."""
    scheduled, expiry = file.campaign.message.scheduled, file.campaign.message.expiry
    found: list[tuple[str, str, str]] = []
    for name, moment in (("scheduled", scheduled), ("expiry", expiry)):
        if isinstance(moment, datetime) and moment <= now:
            found.append((name, f"{_shown(moment, file)} is in the past", "write a later time, or remove the key"))
    if isinstance(scheduled, datetime) and scheduled > now + MAX_AHEAD:
        what = f"{_shown(scheduled, file)} is more than 7 days ahead, the provider's limit"
        earliest = _shown(scheduled - MAX_AHEAD, file)
        found.append(("scheduled", what, f"write an earlier time, or start the run after {earliest}"))
    if isinstance(scheduled, datetime) and isinstance(expiry, timedelta) and now + expiry <= scheduled:
        end = _shown(now + expiry, file)
        what = f"a message sent now would expire at {end}, before its scheduled time"
        found.append(("expiry", what, "write a date and time after scheduled"))
    return [file.problem(("message", name), what, remedy) for name, what, remedy in found]


def span_problems(file: CampaignFile, end: datetime | None, now: datetime) -> list[Problem]:
    """Problems of `scheduled` and `expiry` for a run whose last request is sent at `end`."""
    scheduled, expiry, rate = file.campaign.message.scheduled, file.campaign.message.expiry, file.campaign.rate
    end = end or now + LONGEST
    found: list[tuple[str, str]] = []
    if isinstance(scheduled, datetime) and now < scheduled < end:
        what = f"too early: at {rate} the last message is sent at {_shown(end, file)}"
        found.append(("scheduled", what))
    due = end + scheduled if isinstance(scheduled, timedelta) else end
    if isinstance(expiry, datetime) and now < expiry <= due:
        what = f"too early: at {rate} the last message is due at {_shown(due, file)}"
        found.append(("expiry", what))
    remedy = "write a later time, or raise the rate"
    return [file.problem(("message", name), what, remedy) for name, what in found]


def refusal(campaign: Campaign, now: datetime) -> str | None:
    """Why notBefore or notAfter forbid a start at `now`; None if they allow it."""
    first = deadline(campaign.not_before, campaign, now)
    last = deadline(campaign.not_after, campaign, now)
    zone = campaign.timezone
    if first and now < first:
        return f"it is {local(now, zone)}, before notBefore ({local(first, zone)})"
    if last and now >= last:
        return f"it is {local(now, zone)}, after notAfter ({local(last, zone)})"
    return None


def local(moment: datetime, zone: str) -> str:
    """`2026-12-01 09:00 Asia/Singapore`."""
    return f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} {zone}"


def _shown(moment: datetime, file: CampaignFile) -> str:
    return local(moment, file.campaign.timezone)
