"""A campaign file to a campaign, or to every line that says what is wrong with it."""
# ruff: noqa: E501 - the problems are shown whole, as a user reads them

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.base.errors import Position
from runner.base.exclusions import Duplicates
from runner.base.messages import Encoding
from runner.base.options import Rate
from runner.campaign import (
    AccountSection,
    Campaign,
    CountryColumn,
    MessageSection,
    RecipientsSection,
    ReportSection,
    read,
)
from runner.campaign.fields import Region
from runner.campaign.model import ReceiptsSection
from runner.campaign.recipients_section import ONE_FILE

from .conftest import FULL, MINIMAL, Reader

TEMPLATE = MINIMAL.splitlines()[3]
SINGAPORE = timezone(timedelta(hours=8))


def test_smallest_campaign(read_text: Reader) -> None:
    file, problems = read_text(MINIMAL)
    assert [] == problems
    assert file is not None
    expected = Campaign(
        name="welcome",
        run="main",
        timezone="UTC",
        account=AccountSection(sub_account_id="acme_hq", region=Region.ASIA),
        recipients=RecipientsSection(
            file=Path("campaigns/recipients/welcome.csv"),
            phone=None,
            country=None,
            key=None,
            duplicates=Duplicates.FIRST,
            suppress=(),
            countries=(),
        ),
        message=MessageSection(
            template=Path("templates/welcome.txt.j2"),
            encoding=Encoding.AUTO,
            max_segments=10,
            conversion_tracking=None,
        ),
        rate=Rate(10, 1),
        report=ReportSection(columns=()),
    )
    assert expected == file.campaign


def test_every_key(read_text: Reader) -> None:
    file, problems = read_text(FULL)
    assert [] == problems
    assert file is not None
    expected = Campaign(
        name="spring-sale",
        run="{date}",
        timezone="Asia/Singapore",
        account=AccountSection(sub_account_id="acme_hq", region=Region.ASIA),
        recipients=RecipientsSection(
            file=Path("campaigns/recipients/spring.parquet"),
            phone="mobile",
            country="SG",
            key="customer_id",
            duplicates=Duplicates.FIRST,
            suppress=(Path("campaigns/recipients/opted-out.csv"),),
            countries=("SG", "MY"),
        ),
        message=MessageSection(
            template=Path("templates/spring.txt.j2"),
            source="ACME",
            encoding=Encoding.AUTO,
            max_segments=2,
            conversion_tracking=True,
            scheduled=datetime(2026, 12, 1, 10, tzinfo=SINGAPORE),
            expiry=datetime(2026, 12, 1, 20, tzinfo=SINGAPORE),
            dlr_callback_url="https://example.com/receipts",
            client_ip="203.0.113.7",
        ),
        rate=Rate(200, 1),
        report=ReportSection(columns=("segment", "city")),
    )
    assert expected == file.campaign


def test_other_forms(read_text: Reader) -> None:
    file, problems = read_text(
        "name: a\nrun: 2026-12-01\naccount: {subAccountId: acme_hq, region: europe}\nrate: 90/min\n"
        "recipients: {file: recipients/welcome.csv, country: {column: land}, duplicates: reject}\n"
        'message: {text: "Hi {{ first_name }}", scheduled: 30min, expiry: 2d, conversionTracking: no}\n'
    )
    assert [] == problems
    assert file is not None
    assert "2026-12-01" == file.campaign.run
    assert Region.EUROPE == file.campaign.account.region
    assert CountryColumn(column="land") == file.campaign.recipients.country
    assert Duplicates.REJECT == file.campaign.recipients.duplicates
    message = MessageSection(
        text="Hi {{ first_name }}",
        scheduled=timedelta(minutes=30),
        expiry=timedelta(days=2),
        conversion_tracking=False,
    )
    assert message == file.campaign.message
    assert Rate(90, 60) == file.campaign.rate


def test_absolute_campaign_path_makes_absolute_paths(folder: Path) -> None:
    path = folder / "campaigns/c.yaml"
    path.write_text(MINIMAL)
    file, _ = read(path)
    assert file is not None
    assert folder / "templates/welcome.txt.j2" == file.campaign.message.template


# One mistake each: a line of the smallest campaign, what it is replaced with, and the problem.
ONE_MISTAKE = {
    "name is a number": ("name: welcome", "name: 2026", '1:7: name: YAML reads 2026 as a number, not as text; write "2026" in quotes'),
    "name is a fraction": ("name: welcome", "name: 1.10", '1:7: name: YAML reads 1.10 as a number, not as text; write "1.10" in quotes'),
    "name is yes": ("name: welcome", "name: yes", '1:7: name: YAML reads yes as true, not as text; write "yes" in quotes'),
    "name is octal": ("name: welcome", "name: 0123", '1:7: name: YAML reads 0123 as the octal number 83, not as text; write "0123" in quotes'),
    "name has an underscore between digits": ("name: welcome", "name: 1_000", '1:7: name: YAML reads 1_000 as a number, not as text; write "1_000" in quotes'),
    "name is empty": ("name: welcome", "name:", '1:6: name: is empty; write "name: spring-sale", or remove the key'),
    "name is null": ("name: welcome", "name: null", '1:7: name: YAML reads null as an empty value; write "name: spring-sale", or put it in quotes'),
    "name is a list": ("name: welcome", "name:\n- welcome", '2:1: name: must be text, not a list; write "name: spring-sale"'),
    "name has a space": ("name: welcome", "name: spring sale", "1:7: name: \"spring sale\" is not a valid folder name; use letters, digits, dots, dashes and underscores, and start with a letter or digit"),
    "name is missing": ("name: welcome\n", "", '1:1: name: is missing; add "name: spring-sale"'),
    "name is misspelt": ("name: welcome", "nmae: welcome", '1:1: nmae: unknown key; did you mean "name"?'),
    "name is given twice": ("name: welcome", "name: welcome\nname: again", "2:1: name: duplicate key, already on line 1; remove one of them"),
    "account is missing": ("subAccountId: acme_hq\n", "", '1:1: subAccountId: is missing; add "subAccountId: acme_hq"'),
    "account in snake case": ("subAccountId:", "sub_account_id:", '2:1: sub_account_id: unknown key; did you mean "subAccountId"?'),
    "account is short": ("acme_hq", "12", '2:15: subAccountId: "12" is not a sub-account ID; copy it from 8x8 Connect: 3 to 50 letters, digits and -._&'),
    "account both ways": ("subAccountId: acme_hq", "subAccountId: acme_hq\naccount: {subAccountId: b-b}", "2:1: subAccountId: can't be combined with account; write \"subAccountId\" under account:"),
    "account without its id": ("subAccountId: acme_hq", "account: {region: asia}", '2:1: account.subAccountId: is missing; add "subAccountId: acme_hq" under account:'),
    "region is misspelt": ("subAccountId: acme_hq", "account: {subAccountId: acme_hq, region: Europa}", '2:42: account.region: unknown value "Europa"; did you mean "europe"?'),
    "secret": ("rate:", "apiKey: abc\nrate:", "5:1: apiKey: secrets are not allowed in the file; remove it, and set EIGHTXEIGHT_API_KEY in the environment"),
    "template both ways": ("rate:", "message: {source: ACME}\nrate:", "4:1: template: can't be combined with message; write \"template\" under message:"),
    "no message": ("template: ../templates/welcome.txt.j2\n", "", '1:1: template: is missing; add "template: ../templates/welcome.txt.j2"'),
    "empty message": ("template: ../templates/welcome.txt.j2", "message: {source: ACME}", '4:10: message: needs template or text; add a line such as "template: ../templates/welcome.txt.j2"'),
    "text as braces": ("template: ../templates/welcome.txt.j2", "message: {text: {{ name }}}", "4:18: message.text: YAML reads text that starts with { or [ as a mapping or a list; put the text in quotes"),
    "template is not there": ("welcome.txt.j2", "welcom.txt.j2", '4:11: template: no such file: templates/welcom.txt.j2; did you mean "../templates/welcome.txt.j2"?'),
    "template from the wrong folder": ("../templates/w", "templates/w", '4:11: template: no such file: campaigns/templates/welcome.txt.j2; paths are relative to the campaign file; write "../templates/welcome.txt.j2"'),
    "template is a folder": ("../templates/welcome.txt.j2", "../templates", "4:11: template: templates is a folder; write the path of a file"),
    "source at the top": ("rate:", "source: ACME\nrate:", '5:1: source: unknown key; write "source" under message:'),
    "phone at the top": ("rate:", "phone: mobile\nrate:", '5:1: phone: unknown key; write "phone" under recipients:'),
    "a comma in a number": ("rate:", "limits: {messages: 50,000}\nrate:", "5:23: limits.000: YAML doesn't read the key \"000\" as text; write numbers without commas, such as 50000"),
    "a singular at the top is not a plural": ("rate:", "limit: 5\nrate:", '5:1: limit: unknown key; write "limit" under recipients:'),
    "unknown key": ("rate:", "colour: red\nrate:", "5:1: colour: unknown key; the keys at the top level are name, run, kind, timezone, account, recipients, "
        "message, rate, window, notBefore, notAfter, prices, limits, stopWhen, thresholds, giveUpAfter, receipts, report, subAccountId, template"),
    "key that is a number": ("rate:", "1: red\nrate:", "5:1: 1: YAML doesn't read the key \"1\" as text; correct the key; `campaign schema` lists all keys"),
    "merge key": ("rate:", "<<: {a: b}\nrate:", "5:1: <<: merge keys (<<) are not supported; write the keys themselves"),
    "recipients are a list": ("recipients: recipients/welcome.csv", "recipients: [a.csv]", '3:13: recipients: must be a section with keys, not a list; ' + ONE_FILE),
    "recipients are a folder": ("recipients/welcome.csv", "recipients", f"3:13: recipients: campaigns/recipients is a folder; {ONE_FILE}"),
    "recipients are a pattern": ("recipients/welcome.csv", "recipients/*.csv", f"3:13: recipients: no such file: campaigns/recipients/*.csv; {ONE_FILE}"),
    "recipients are several names": ("recipients/welcome.csv", "a.csv, b.csv", f"3:13: recipients: no such file: campaigns/a.csv, b.csv; {ONE_FILE}"),
    "recipients.file is a list": ("recipients: recipients/welcome.csv", "recipients: {file: [a.csv, b.csv]}", f"3:20: recipients.file: must be one file, not a list; {ONE_FILE}"),
    "recipients with backslashes": ("recipients/welcome.csv", "recipients\\welcome.csv", '3:13: recipients: no such file: campaigns/recipients\\welcome.csv; write paths with /: "recipients/welcome.csv"'),
    "recipients in no folder": ("recipients/welcome.csv", "lists/welcome.csv", "3:13: recipients: no such file: campaigns/lists/welcome.csv; the folder campaigns/lists does not exist"),
    "recipients misspelt are still looked for": ("recipients: ", "recipient: ", '3:1: recipient: unknown key; did you mean "recipients"?'),
    "rate without period": ("10/s", "200", '5:7: rate: "200" has no time unit; write 200/s, 200/min or 200/h'),
    "rate in words": ("10/s", "10 per second", '5:7: rate: "10 per second" is not in the format of a rate; write 10/s'),
    "rate is zero": ("10/s", "0/s", "5:7: rate: \"0/s\" would never send anything; write at least 1/h"),
    "rate is too fast": ("10/s", "1200001/min", "5:7: rate: 1200001/min is more than 20000 per second; write at most 20000/s"),
    "run holds something else": ("rate:", 'run: "{day}"\nrate:', '5:6: run: unknown placeholder "{day}"; use {date}, {week} or {month}'),
    "run without quotes": ("rate:", "run: {date}\nrate:", '5:6: run: YAML reads {date} as a mapping; write "{date}" in quotes'),
    "run is sandbox": ("rate:", "run: Sandbox\nrate:", '5:6: run: "sandbox" is reserved for runs with --sandbox; choose another run ID'),
    "time zone is misspelt": ("rate:", "timezone: asia/singapor\nrate:", '5:11: timezone: "asia/singapor" is not a time zone; did you mean "Asia/Singapore"?'),
    "time zone is a city": ("rate:", "timezone: London\nrate:", '5:11: timezone: "London" is not a time zone; did you mean "Europe/London"?'),
    "report is text": ("rate:", "report: city\nrate:", '5:9: report: must be a section with keys, not "city"; write "report: {columns: [city]}"'),
    "columns are text": ("rate:", "report: {columns: city}\nrate:", '5:19: report.columns: "city" is not a list; write [city]'),
    "columns twice": ("rate:", "report: {columns: [a, b, a]}\nrate:", '5:19: report.columns: lists "a" twice; list each value once'),
    "python object": ("name: welcome", "name: !!python/object:os.system x", '1:7: name: the tag "!!python/object:os.system" is not supported; remove the tag, or put text that starts with ! in quotes'),
    "alias of itself": ("rate:", "report: &a {columns: [*a]}\nrate:", "5:9: report.columns: this alias contains itself; replace the alias with its values"),
}  # fmt: skip

# In the spelled-out form: a line of `recipients:` or `message:`, and the problem of its line.
RECIPIENTS = {
    "phone: on": 'phone: YAML reads on as true, not as text; write "on" in quotes',
    "phone: [on, mobile]": 'phone: YAML reads on as true, not as text; write "on" in quotes',
    "phone: [mobile, mobile]": 'phone: lists "mobile" twice; list each value once',
    "phone: []": "phone: the list is empty; add at least one value, or remove the key",
    "phone: {column: mobile}": 'phone: YAML reads {column: mobile} as a mapping; write "{column: mobile}" in quotes',
    "country: NO": 'country: YAML reads NO as false, not as text; write "NO" in quotes',
    "country: UK": 'country: "UK" is not a country code; write GB',
    "country: sg": 'country: "sg" is not a country code; write SG',
    "country: Singapore": 'country: "Singapore" is not a country code; write a two-letter ISO 3166 code in capitals, such as SG',
    "country: {column: 1}": 'country.column: YAML reads 1 as a number, not as text; write "1" in quotes',
    "country: {colum: land}": 'country.colum: unknown key; did you mean "column"?',
    "country:": 'country: is empty; write "country: SG", or remove the key',
    "duplicates: frist": 'duplicates: unknown value "frist"; did you mean "first"?',
    "duplicates: none": 'duplicates: unknown value "none"; write first, reject or all',
    "suppress: recipients/opted-out.csv": 'suppress: "recipients/opted-out.csv" is not a list; write [recipients/opted-out.csv]',
    "suppress: [recipients/opted.csv]": 'suppress: no such file: campaigns/recipients/opted.csv; did you mean "recipients/opted-out.csv"?',
    "countries: [SG, UK]": 'countries: "UK" is not a country code; write GB',
    "cooldown: {message: 2, messages: 2, per: 7d}": 'cooldown.message: unknown key; remove it; "messages" is already given',
    "cooldown: {message: 2, per: 7d}": 'cooldown.message: unknown key; did you mean "messages"?',
    "suppresses: [recipients/opted-out.csv]": 'suppresses: unknown key; did you mean "suppress"?',
    "limits: 5": 'limits: unknown key; did you mean "limit"?',
    "countries: {SG: 1}": 'countries: must be a list, not a mapping; write "countries: [SG, MY]"',
}  # fmt: skip
MESSAGE = {
    "source: +6591234567": 'source: YAML reads +6591234567 as a number and drops the plus; write "+6591234567" in quotes',
    "source: ACME Marketing": 'source: "ACME Marketing" has 14 characters; a sender ID with letters has at most 11',
    'source: "12345678901234567"': "source: has 17 characters; a numeric sender ID has at most 16, including the plus",
    "source: Café": "source: a sender ID can't contain \"é\"; use plain letters, digits and punctuation",
    "encoding: gsm-7": 'encoding: unknown value "gsm-7"; did you mean "GSM7"?',
    'maxSegments: "2"': 'maxSegments: "2" is text; write 2 without quotes',
    "maxSegments: 2.0": 'maxSegments: 2.0 is not a whole number; write "maxSegments: 2"',
    "maxSegments: 010": 'maxSegments: YAML reads 010 as the octal number 8; write a plain number such as "maxSegments: 2"',
    "maxSegments: yes": 'maxSegments: yes is not a whole number; write "maxSegments: 2"',
    "maxSegments: 11": "maxSegments: 11 is not a valid number of segments; write 1 to 10; the provider truncates longer messages",
    'conversionTracking: "true"': 'conversionTracking: "true" is text; write true without quotes',
    "conversionTracking: Outcome": 'conversionTracking: "Outcome" is not true or false; write true or false without quotes',
    "conversionTracking: 1": "conversionTracking: 1 is not true or false; write true or false without quotes",
    "scheduled: 2026-12-01T10:00:00": "scheduled: 2026-12-01T10:00:00 has no UTC offset; write 2026-12-01T10:00:00+08:00 for Singapore, 2026-12-01T10:00:00Z for UTC",
    "scheduled: 2026-12-01": "scheduled: 2026-12-01 has no time of day; write a date and time such as 2026-12-01T10:00:00+08:00",
    "scheduled: 21:00": 'scheduled: "21:00" is not a valid time; write a date and time such as 2026-12-01T10:00:00+08:00, or a duration after sending such as 30min, 4h or 2d',
    "scheduled: 8d": "scheduled: more than 7 days ahead; write 7d or less",
    "expiry: 0h": "expiry: 0h is zero; remove the key to send immediately",
    "dlrCallbackUrl: example.com": 'dlrCallbackUrl: "example.com" is not a complete URL; write a URL such as https://example.com/receipts',
    "clientIp: 203.0.113": 'clientIp: "203.0.113" is not an IP address; write an address such as 203.0.113.7 or 2001:db8::7',
    "max_segments: 2": 'max_segments: unknown key; did you mean "maxSegments"?',
    "sender: ACME": 'sender: unknown key; did you mean "source"?',
    "rate: 5/s": 'rate: unknown key; write "rate" at the top level',
    "text: Hi": "text: can't be combined with template; remove one of them",
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "problem"), ONE_MISTAKE.values(), ids=ONE_MISTAKE)
def test_one_mistake(read_text: Reader, old: str, new: str, problem: str) -> None:
    assert old in MINIMAL
    assert [problem] == read_text(MINIMAL.replace(old, new, 1))[1]


SECTIONS = [
    *(("recipients", "file: recipients/welcome.csv", line, problem) for line, problem in RECIPIENTS.items()),
    *(("message", "template: ../templates/welcome.txt.j2", line, problem) for line, problem in MESSAGE.items()),
]


@pytest.mark.parametrize(("section", "needed", "line", "problem"), SECTIONS, ids=[case[2] for case in SECTIONS])
def test_one_mistake_in_a_section(read_text: Reader, section: str, needed: str, line: str, problem: str) -> None:
    short = next(
        old for old in MINIMAL.splitlines() if old.startswith(("recipients", "template")[section == "message"])
    )
    text = MINIMAL.replace(f"{short}\n", "") + f"{section}:\n  {needed}\n  {line}\n"
    file, problems = read_text(text)
    assert 1 == len(problems)
    assert f"{section}.{problem}" == problems[0].split(": ", 1)[1]
    assert problems[0].startswith("7:")
    assert file is not None, "the caller can go on to the template and the recipients"


def test_all_mistakes_at_once_and_the_campaign_to_go_on_with(read_text: Reader) -> None:
    file, problems = read_text(
        "name: 2026\nrecipient: recipients/welcom.csv\nsource: 12345\nrate: 200\n"
        "message:\n  template: ../templates/spring.txt.j2\n  scheduled: 3h\n  expiry: 2h\n  maxSegments: 99\n"
        "recipients_: 1\n"
    )
    assert [
        '1:1: subAccountId: is missing; add "subAccountId: acme_hq"',
        '1:7: name: YAML reads 2026 as a number, not as text; write "2026" in quotes',
        '2:1: recipient: unknown key; did you mean "recipients"?',
        '2:12: recipient: no such file: campaigns/recipients/welcom.csv; did you mean "recipients/welcome.csv"?',
        '3:1: source: unknown key; write "source" under message:',
        '3:9: source: YAML reads 12345 as a number, not as text; write "12345" in quotes',
        '4:7: rate: "200" has no time unit; write 200/s, 200/min or 200/h',
        "8:11: message.expiry: must be after scheduled; write a later time, or remove the key",
        "9:16: message.maxSegments: 99 is not a valid number of segments; write 1 to 10; the provider truncates longer messages",
        '10:1: recipients_: unknown key; did you mean "recipients"?',
    ] == problems
    assert file is not None
    assert ("2026", "12345") == (file.campaign.name, file.campaign.message.source)
    assert Path("campaigns/recipients/welcom.csv") == file.campaign.recipients.file


def test_section_in_the_wrong_place_is_read_as_if_in_the_right_one(read_text: Reader) -> None:
    text = MINIMAL.replace(
        "subAccountId: acme_hq", "report: {account: {subAccountId: acme_hq, regoin: europe, rate: [10/s]}}"
    )
    file, problems = read_text(text.replace("rate: 10/s", "").replace("name: welcome", "name: [welcome]"))
    assert [
        "1:7: name: must be text, not a list; write welcome without brackets",
        '2:10: report.account: unknown key; write "account" at the top level',
        '2:43: report.account.regoin: unknown key; did you mean "region"?',
        '2:59: report.account.rate: unknown key; write "rate" at the top level',
        "2:65: report.account.rate: must be text, not a list; write 10/s without brackets",
    ] == problems
    assert file is not None
    assert Region.EUROPE == file.campaign.account.region


def test_without_recipients_there_is_nothing_to_go_on_with(read_text: Reader) -> None:
    assert read_text("name: a\n")[0] is None


def test_every_problem_with_the_file_s_name(folder: Path) -> None:
    Path("campaigns/c.yaml").write_text(
        f"subAccountId: acme_hq\nrecipients: recipients/welcome.csv\nname: [10/s]\nrate: fast\n{TEMPLATE}\n"
    )
    expected = [
        "campaigns/c.yaml:3:7: name: must be text, not a list; write 10/s without brackets",
        'campaigns/c.yaml:4:7: rate: "fast" is not a rate; write a rate such as 10/s, 600/min or 3600/h',
    ]
    assert expected == [str(problem) for problem in read(Path("campaigns/c.yaml"))[1]]


def test_later_problems_are_named_as_written(read_text: Reader) -> None:
    file, _ = read_text(MINIMAL)
    assert file is not None
    name = "campaigns/c.yaml"
    assert Position(name, 4, 11) == file.position("message", "template")
    assert Position(name, 4, 1) == file.position("message", "source")
    assert Position(name, 3, 1) == file.position("recipients", "phone")
    assert Position(name, 1, 1) == file.position("report", "columns", 0)
    assert f"{name}:4:11: template: is odd" == str(file.problem(("message", "template"), "is odd"))
    assert f"{name}:3:13: recipients: is odd" == str(file.problem(("recipients", "file"), "is odd"))
    assert f"{name}:3:1: recipients.phone: is odd; mend it" == str(
        file.problem(("recipients", "phone"), "is odd", "mend it")
    )


WORDS = ["name:", "welcome", " ", "\n", "\n  ", "- ", "[", "]", "{", "}", "&a", "*a", "!!int", "'", '"', "|", ">", "\t",
         "#", "%", "0123", "21:00", "yes", "null", "~", "recipients:", "message:", "text:", "rate:", "10/s", "<<:", ",",
         "\\ud83d", "country:", "column:", "é", "\0", "---\n", "...", "? ", "=", ".nan", "1e999", "subAccountId:"]  # fmt: skip


@given(st.one_of(st.text(), st.lists(st.sampled_from(WORDS), max_size=30).map("".join), st.binary()))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
def test_any_content_is_reported_and_never_raises(folder: Path, content: str | bytes) -> None:
    path = Path("campaigns/fuzz.yaml")
    path.write_bytes(content.encode(errors="replace") if isinstance(content, str) else content)
    assert [] != read(path)[1]


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
def test_any_slip_in_a_good_file_never_raises(folder: Path, data: st.DataObject) -> None:
    text = FULL
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        length = data.draw(st.integers(0, 12))
        text = text[:at] + data.draw(st.sampled_from(WORDS)) + text[at + length :]
    path = Path("campaigns/fuzz.yaml")
    path.write_text(text)
    file, problems = read(path)
    assert file is not None or problems
    assert [] == [problem for problem in problems if "\n" in str(problem)]


def test_a_list_s_one_wrong_item_is_reported_once(read_text: Reader) -> None:
    recipients = "recipients: {file: recipients/welcome.csv, types: [mobil], countries: [Atlantis]}\n"
    _, problems = read_text(MINIMAL.replace("recipients: recipients/welcome.csv\n", recipients))
    assert ['recipients.types: unknown value "mobil"', 'recipients.countries: "Atlantis" is'] == [
        problem.partition(";")[0].partition(" not")[0].partition(": ")[2] for problem in problems
    ]


@pytest.mark.parametrize(
    ("first", "last", "is_wrong"),
    [
        ('"10:00"', '"09:00"', True),
        ('"10:00"', '"10:00"', True),
        ('"09:00"', '"10:00"', False),
        ("2026-12-01T10:00:00+08:00", "2026-12-01T02:00:00Z", True),
        ("2026-12-01T10:00:00+08:00", '"09:00"', False),
    ],
)
def test_a_run_must_be_able_to_start(first: str, last: str, is_wrong: bool, read_text: Reader) -> None:
    _, problems = read_text(f"{MINIMAL}notBefore: {first}\nnotAfter: {last}\n")
    assert is_wrong == any("notAfter: must be after notBefore" in problem for problem in problems)
    assert is_wrong == bool(problems)


def test_how_receipts_come_back(read_text: Reader) -> None:
    receipts = "receipts: {url: https://example.com/r, port: 8443, authHeaderEnv: RECEIPTS_AUTHORIZATION}\n"
    file, problems = read_text(MINIMAL + receipts)

    assert [] == problems
    assert file is not None
    expected = ReceiptsSection(url="https://example.com/r", port=8443, auth_header_env="RECEIPTS_AUTHORIZATION")
    assert expected == file.campaign.receipts
    assert "https://example.com/r" == file.campaign.callback_url


def test_receipts_may_come_to_the_account_s_own_webhook(read_text: Reader) -> None:
    file, problems = read_text(f"{MINIMAL}receipts: {{}}\n")

    assert [] == problems
    assert file is not None
    assert ReceiptsSection() == file.campaign.receipts
    assert file.campaign.callback_url is None


def test_two_addresses_for_receipts_are_a_mistake(read_text: Reader) -> None:
    message = "message: {template: ../templates/welcome.txt.j2, dlrCallbackUrl: https://example.com/a}\n"
    text = MINIMAL.replace("template: ../templates/welcome.txt.j2\n", message)
    _, problems = read_text(f"{text}receipts: {{url: https://example.com/b}}\n")

    assert ["6:11: receipts: url differs from message.dlrCallbackUrl; remove one of them"] == problems


def test_a_secret_in_the_place_of_its_variable_s_name_is_not_repeated(read_text: Reader) -> None:
    _, problems = read_text(f"{MINIMAL}receipts: {{authHeaderEnv: Bearer s3cret}}\n")

    words = "not the name of an environment variable; write a name such as RECEIPTS_AUTHORIZATION"
    assert [f"6:27: receipts.authHeaderEnv: {words}"] == problems


@pytest.mark.parametrize(
    ("report", "problem"),
    [
        ("formats: [html]", '6:20: report.formats: unknown value "html"; write parquet, csv or xlsx'),
        ("formats: [xlsx, xlsx]", '6:19: report.formats: lists "xlsx" twice; list each value once'),
        ("mask: yes please", '6:16: report.mask: "yes please" is not true or false; write true or false without quotes'),
    ],
)  # fmt: skip
def test_what_a_report_can_not_be(report: str, problem: str, read_text: Reader) -> None:
    assert [problem] == read_text(f"{MINIMAL}report: {{{report}}}\n")[1]
