"""Placeholders of other tools in a template's text: `{First Name}`, `*|FNAME|*`, `%first_name%`. Pure.

They would be sent literally to everybody. Some forms are placeholders whatever is in them. Others are also ordinary
text ("[Sale]", "50% off"), so they count only around the name of a column.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping

_WORD = r"[^\W\d][\w.]*"
# Forms that are a placeholder whatever they hold; the group is what they hold.
_CERTAIN = (
    r"\{\s*([\w.]+)\s*\}",  # also {1}
    r"\$\{([^{}\n]{1,80})\}",
    rf"\{{[!$]({_WORD})\}}",
    r"\*\|([^|\n]{1,80}(?:\|[^|*\n]{0,80})?)\|\*",
    r"<%([^<>\n]{1,80})%>",
)
# Forms that count only around the name of a column.
_POSSIBLE = (
    r"\{([^{}\n]{1,80})\}",
    r"<<([^<>\n]{1,80})>>",
    r"<([^<>\n]{1,80})>",
    r"[«‹]([^«»‹›\n]{1,80})[»›]",
    r"\[\[([^\[\]\n]{1,80})\]\]",
    r"\[([^\[\]\n]{1,80})\]",
    r"\(\(([^()\n]{1,80})\)\)",
    # Between two equal signs, without blanks inside of them.
    *(
        rf"{sign}([^\s{sign}](?:[^\n{sign}]{{0,80}}[^\s{sign}])?){sign}"
        for sign in ("%", "%%", "#", "##", "@", "@@", "~", r"\|")
    ),
    rf"%\(({_WORD})\)s",
    r"__([^\s_](?:[^\n]{0,80}?[^\s_])?)__",
    rf"(?<![\w$])\$({_WORD})",
)
# At each position the first form that fits; a lookahead, so that forms may overlap: in "50% of %name%" too.
_FORMS = re.compile("(?=(?P<whole>" + "|".join((*_CERTAIN, *_POSSIBLE)) + "))")
_MOST_CERTAIN = len(_CERTAIN)

# Names that mean the same, as `_folded` gives them.
_SAME = (
    {"firstname", "fname", "givenname", "forename"},
    {"lastname", "lname", "surname", "familyname"},
    {"name", "fullname", "customername", "contactname"},
    {"phone", "phonenumber", "mobile", "mobilenumber", "mobilephone", "msisdn", "cellphone"},
    {"email", "emailaddress", "mail"},
    {"company", "companyname", "organization", "organisation"},
    {"zip", "zipcode", "postcode", "postalcode"},
    {"birthday", "birthdate", "dateofbirth", "dob", "bday"},
)

# Names that no ordinary text has in such a form, whatever the columns are called.
_UNMISTAKABLE = {"firstname", "fname", "givenname", "lastname", "lname", "familyname", "fullname", "customername"}

# A backslash and what it stands for in other formats, not in a Windows path.
_ESCAPE = re.compile(
    r"""(?P<path>\b[A-Za-z]:\\\S*|\\\\\w+\\\S*)|\\(?:r\\n|[nrt]|u[0-9A-Fa-f]{4}(?:\\u[0-9A-Fa-f]{4})*|U[0-9A-Fa-f]{8}|x[0-9A-Fa-f]{2}|['"])"""
)


def placeholders(text: str, columns: Mapping[str, str]) -> Iterator[tuple[str, str | None]]:
    """The placeholders of other tools in a text, each with the name in our templates of the column meant.

    `columns` is the name in the template → column. The name is None if no column is meant.
    """
    known = _known(columns)
    end = 0
    for match in _FORMS.finditer(text):
        if match.start() < end:  # inside of the one before
            continue
        place = next(number for number, held in enumerate(match.groups()[1:]) if held is not None)
        names = list(_names_in(match.groups()[place + 1]))
        name = next((known[each] for each in names if each in known), None)
        if name is not None or place < _MOST_CERTAIN or _UNMISTAKABLE.intersection(names):
            end = match.start() + len(match["whole"])
            yield match["whole"], name


def escapes(text: str) -> Iterator[str]:
    """The escapes in a text that would be sent literally, such as a backslash and an n."""
    for match in _ESCAPE.finditer(text):
        if match["path"] is None:
            yield match.group()


def _known(columns: Mapping[str, str]) -> dict[str, str]:
    """Name as written, or folded → the name in the template. A column's own name counts more than another for it."""
    own = {column: name for name, column in columns.items()}
    for name, column in columns.items():
        for folded in (_folded(name), _folded(column)):
            if folded:
                own.setdefault(folded, name)
    same = {other: own[folded] for names in _SAME for folded in own.keys() & names for other in names}
    return same | own


def _names_in(held: str) -> Iterator[str]:
    """The names that may be meant: `contact.first_name`, `first_name|there`, `merge:first_name`."""
    name = re.split(r"[|,;=?]", held, maxsplit=1)[0]
    yield held.strip()
    for part in (held, name, re.split(r"[.:!](?=\S)", name)[-1], name.partition(":")[0]):
        yield _folded(part)


def _folded(name: str) -> str:
    """A name as people compare it: First Name, first_name and FIRST-NAME are the same."""
    return "".join(character for character in unicodedata.normalize("NFKC", name).casefold() if character.isalnum())
