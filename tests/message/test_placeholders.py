"""Placeholders of other tools, and ordinary texts that only look like them."""

import pytest

from runner.base.errors import InputError
from runner.message.compose import field_names
from runner.message.template import compile_template

HEADER = ["phone", "first_name", "Last Name", "name", "city", "amount", "code", "date", "Order #", "店舗"]


def wrong(text: str, header: list[str] = HEADER) -> list[str]:
    try:
        compile_template(text, "t.j2", columns=field_names(header))
    except InputError as error:
        return [str(problem) for problem in error.problems]
    return []


FORMS = [
    ("{first_name}", "first_name"),
    ("{First Name}", "first_name"),
    ("{ FIRST-NAME }", "first_name"),
    ("{contact.first_name}", "first_name"),
    ("{first_name|there}", "first_name"),
    ('{First Name, "there"}', "first_name"),
    ("{!Contact.FirstName}", "first_name"),
    ("{$first_name}", "first_name"),
    ("${first_name}", "first_name"),
    ("${user.firstName}", "first_name"),
    ("$first_name", "first_name"),
    ("[first_name]", "first_name"),
    ("[First Name]", "first_name"),
    ("[[first_name]]", "first_name"),
    ("[first_name,fallback=there]", "first_name"),
    ("((first_name))", "first_name"),
    ("<<First Name>>", "first_name"),
    ("<First Name>", "first_name"),
    ("<%= first_name %>", "first_name"),
    ("«Last_Name»", "Last_Name"),
    ("%first_name%", "first_name"),
    ("%FIRSTNAME%", "first_name"),
    ("%%first_name%%", "first_name"),
    ("%(first_name)s", "first_name"),
    ("*|FNAME|*", "first_name"),
    ("*|FNAME:there|*", "first_name"),
    ("*|LNAME|*", "Last_Name"),
    ("#first_name#", "first_name"),
    ("##First Name##", "first_name"),
    ("@@first_name@@", "first_name"),
    ("~first_name~", "first_name"),
    ("|first_name|", "first_name"),
    ("__first_name__", "first_name"),
    ("[Surname]", "Last_Name"),
    ("[Order]", "Order__"),
    ("[店舗]", "店舗"),
    ("[mobile]", "phone"),
]


@pytest.mark.parametrize(("written", "name"), FORMS)
def test_a_column_in_the_form_of_another_tool_is_refused(written: str, name: str) -> None:
    literal = f"{{{{ '{written}' }}}}" if '"' in written else f'{{{{ "{written}" }}}}'
    words = f'"{written}" would be sent literally; write {{{{ {name} }}}}, or {literal} to send the characters'
    for text in (f"Hi {written}, STOP ends", f"50% off\n{written}", written):
        assert [words] == [problem.partition(": ")[2] for problem in wrong(text)], text
    assert [] == wrong(f"Hi {literal}")


@pytest.mark.parametrize(
    "written",
    [
        "{x}",
        "{1}",
        "{user.nickname}",
        "${nickname}",
        "*|NICK|*",
        "{!nick}",
        "<%= nick %>",
        "[Full Name]",
        "{Customer Name}",
        "%fullname%",
    ],
)
def test_some_forms_and_names_are_placeholders_without_a_column(written: str) -> None:
    [problem] = wrong(f"Hi {written}")
    assert f'"{written}" would be sent literally; write {{{{ ' in problem
    assert wrong(f"Hi {written}", []) != []


ESCAPES = [
    (r"Hi\nAnn", r'"\n" would be sent literally; start a new line there'),
    (r"Hi,\r\nAnn", r'"\r\n" would be sent literally; start a new line there'),
    (r"Hi\tAnn", r'"\t" would be sent literally; write a space; write {{ "\\t" }} to send the backslash'),
    (r"5 \u20ac", r'"\u20ac" would be sent literally; write the characters themselves: €; write'),
    (r"Hi \U0001F600", r'"\U0001F600" would be sent literally; write the characters themselves: 😀'),
    (r"Hi \ud83d\ude00!", r'"\ud83d\ude00" would be sent literally; write the characters themselves: 😀'),
    (r"Hi \ud83d!", r'"\ud83d" would be sent literally; write the characters themselves; write'),
    (r"Hi \UFFFFFFFF!", r'"\UFFFFFFFF" would be sent literally; write the characters themselves; write'),
    (r"caf\xe9", r'"\xe9" would be sent literally; write the characters themselves: é'),
    (r"It\'s on", r""""\'" would be sent literally; remove the backslash; write {{ "\\'" }} to send the backslash"""),
    (r"a \"deal\"", r""""\"" would be sent literally; remove the backslash; write {{ '\\"' }} to send the backslash"""),
]


@pytest.mark.parametrize(("text", "words"), ESCAPES)
def test_an_escape_is_refused(text: str, words: str) -> None:
    [problem] = wrong(text)
    assert words in problem


def test_the_advice_for_an_escape_is_accepted() -> None:
    assert [] == wrong('Hi {{ "\\\\n" }} and {{ "\\n" }}')


ORDINARY = """\
[Sale] 50% off everything today! Reply STOP to opt out
50% off shoes, 30% off bags, 20% off hats
100% cotton. 100% you. 100%!
Get 20%-30% OFF (see below)
(see below) ((really)) worth it
We <3 you! Get 10% off
<3 <3 <3
Price < $5 > nothing
Was $50, now $25! Save $25
From $9.99 to $19.99
Pay $5 or US$7 or S$9
Hi! :) :-) ;-) :-P =) ^_^ *_* o_O (^o^)
¯\\_(ツ)_/¯ we ran out
Saved to C:\\new\\report.txt
See \\\\server\\news\\today
Open D:\\temp for the files
[NEW] iPhone in stock
[Ad] Great deals
[Acme] Your parcel is on its way
<Acme> Your parcel is on its way
(ADV) Big sale. Unsub: 0800 123
#sale #deals #1 choice
#BlackFriday is here. #CyberMonday too
You're #1! Our #1 fan
Order #123 is ready. Order #124 is not
Follow @acme and @acme_sg
Mail us: hello@acme.com or shop@acme.com
https://acme.com/?a=1&b=2#top
https://acme.com/sale?utm_source=sms&utm_campaign=x%20y%20z
Visit acme.com/%F0%9F%98%80
A|B testing | Sale | Deals
* Free * gift * with * purchase *
*** SALE ***
~ Love, Acme ~
~10 min walk, ~5 min drive
___ sign here ___
-- Acme --
"Best deal ever" - Ann
Buy 1 get 1 [while stocks last]
Mon-Fri 9-5; Sat [10-2]
T&C apply. Q&A at 5pm
3 > 2 and 1 < 2
<<< SALE >>>
<<SALE>> [[NEW]] ##HOT## %SALE% __new__ ~hot~ |new|
{$5 off} {!new!}
>>> Click here <<<
Reply YES/NO
Reply 1 {or 2, if you like} to choose
1+1=3 {limited offer}
«Скидки» до 50%
【お知らせ】本日限定 50%OFF
「特別」ご案内 [5日]
2 for 1 @ Orchard @ 5pm
Rate us 1..5 [5 = great]
Win $$$ today! $$$
a/b/c and/or \\o/ yay
50 % off % for you""".splitlines()


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_texts_are_no_placeholders(text: str) -> None:
    assert [] == wrong(text)


def test_an_amount_after_a_dollar_is_a_field() -> None:
    assert [] == wrong("You owe ${{ amount }}, {{ first_name }} [{{ city }}] <{{ code }}>")
