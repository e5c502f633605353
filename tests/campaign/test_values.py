"""The rules of single values, at their edges."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from runner.base.options import Rate
from runner.campaign import times, values

GOOD: list[tuple[Callable[[str], object], str, object]] = [
    (values.name, "a" * 64, "a" * 64),
    (values.name, "0.a_b-C", "0.a_b-C"),
    (values.run_pattern, "w{week}-{month}", "w{week}-{month}"),
    (values.sub_account, "a-._&9", "a-._&9"),
    (times.time_zone, "America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
    (values.source, "ACME & Co.", "ACME & Co."),
    (values.source, "1234567890123456", "1234567890123456"),
    (values.source, "+123456789012345", "+123456789012345"),
    (values.rate, "20000/s", Rate(20_000, 1)),
    (values.rate, "300000/min", Rate(300_000, 60)),
    (values.rate, "1/h", Rate(1, 3600)),
    (times.moment, "2026-12-01T02:00:00Z", datetime(2026, 12, 1, 2, tzinfo=UTC)),
    (times.moment, "20261201T100000+0800", datetime(2026, 12, 1, 2, tzinfo=UTC)),
    (times.moment, "90s", timedelta(seconds=90)),
    (times.moment, "4h", timedelta(hours=4)),
    (values.web_address, "http://[2001:db8::7]:8080/x?y=1", "http://[2001:db8::7]:8080/x?y=1"),
    (values.ip_address, "2001:db8::7", "2001:db8::7"),
    (values.variable, "RECEIPTS_AUTHORIZATION", "RECEIPTS_AUTHORIZATION"),
    (values.text_encoding, "Windows-1252", "cp1252"),
    (values.text_encoding, "utf-16", "utf-16"),
    (values.text_encoding, "UTF-32", "utf-32"),
]

BAD: list[tuple[Callable[[str], object], str]] = [
    (values.variable, ""),
    (values.variable, "1A"),
    (values.variable, "A" * 65),
    (values.variable, "A B"),
    (values.name, ""),
    (values.name, "a" * 65),
    (values.name, ".."),
    (values.name, "a/b"),
    (values.name, "a\n"),
    (values.name, "é"),
    (values.run_pattern, "{date"),
    (values.run_pattern, "{}"),
    (values.run_pattern, "{date}" * 7),
    (values.run_pattern, "sandbox"),
    (values.sub_account, "ab"),
    (values.sub_account, "a b c"),
    (values.sub_account, "acme/hq"),
    (times.time_zone, ""),
    (times.time_zone, "../etc/passwd"),
    (times.time_zone, "+08:00"),
    *((zone, name) for zone in (times.time_zone, times.window_zone) for name in ("EST", "Etc/GMT-8", "UTC+8")),
    (times.time_zone, "localtime"),
    (times.time_zone, "right/Asia/Singapore"),
    (values.country, "XK"),
    (values.country, ""),
    (values.source, ""),
    (values.source, " ACME"),
    (values.source, "+1234567890123456"),
    (values.source, "a`b"),
    (values.source, "Twelve chars"),
    (values.rate, "-1/s"),
    (values.rate, "1.5/s"),
    (values.rate, "10/d"),
    (values.rate, "٣/s"),
    (values.rate, "9" * 5000 + "/s"),
    (values.rate, "20001/s"),
    (times.moment, "tomorrow"),
    (times.moment, "30m"),
    (times.moment, "999999d"),
    (times.moment, "0001-01-01T00:00:00+08:00"),
    (times.moment, "2026-13-01T00:00:00+08:00"),
    (values.web_address, "ftp://example.com"),
    (values.web_address, "https://"),
    (values.web_address, "https://example.com/a b"),
    (values.web_address, "https://example.com:99999/"),
    (values.web_address, "http://[::1"),
    (values.ip_address, "fe80::1%eth0"),
    (values.ip_address, "203.0.113.7/32"),
    (values.column, " "),
    (values.column, "a\nb"),
    (values.message_text, " \n"),
    (values.text_encoding, "latin-99"),
    (values.text_encoding, "rot13"),
    (values.text_encoding, "idna"),
    (values.text_encoding, ""),
]


@pytest.mark.parametrize(("parse", "text", "expected"), GOOD, ids=[f"{p.__name__} {t}" for p, t, _ in GOOD])
def test_good(parse: Callable[[str], object], text: str, expected: object) -> None:
    assert expected == parse(text)


@pytest.mark.parametrize(("parse", "text"), BAD, ids=[f"{p.__name__} {t[:20]!r}" for p, t in BAD])
def test_bad_comes_with_a_remedy(parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(values.InvalidValue) as caught:
        parse(text)
    assert caught.value.what
    assert caught.value.remedy


def test_countries_are_all_there() -> None:
    assert 249 == len(values.COUNTRIES)
    assert {"SG", "GB", "NO", "AX"} <= values.COUNTRIES
