"""Encodings: told, shown, found out, or refused with what to do. Never a garbled name."""

import codecs
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.audience.charset import charset_of
from runner.audience.files import Cells, Unreadable, read_header, read_rows
from runner.audience.spec import Source
from runner.audience.unpack import Packing
from runner.errors import InputError


def written(folder: Path, text: str, encoding: str) -> Path:
    path = folder / "a.csv"
    path.write_bytes(text.encode(encoding))
    return path


def rows(source: Source, remarks: list[str] | None = None) -> list[Cells | Unreadable]:
    return [row for batch in read_rows(source, remarks=remarks) for row in batch.rows]


WESTERN = [
    ("Zoë", "one name is enough"),
    ("Müller", "German; the same letter in every Latin code page"),
    ("Renée", "French"),
    ("François Lefèvre", "French, with two letters that Turkish and Croatian have too"),
    ("Agnès Lumière Hélène", "è, which is č in Central Europe"),
    ("L’été à Évry – déjà", "quotes and dashes of a word processor"),
    ("“curly quotes”", "nothing but typography"),
    ("it’s O’Brien’s", "English apostrophes, which are í on a Macintosh"),
    ("Anaïs Loïc", "ï, which is ď in Czech"),
    ("Œuvre cœur", "œ, which is ś in Polish"),
    ("Benoît Août", "û, which is ű in Hungarian"),
    ("señor Núñez Muñoz", "ñ, which is ń in Polish"),
    ("MUÑOZ", "in capitals"),
    ("¿Qué tal? ¡Hola!", "Spanish marks, of which ¿ is ż in Polish"),
    ("João Conceição Camões", "ã and õ, which are ă and ő further east"),
    ("Søren Bjørn Kjær", "ø and æ, which are ř and ć"),
    ("Åse Ångström", "Swedish"),
    ("Guðrún Þórðardóttir", "ð and þ, which are ğ and ş in Turkish"),
    ("Nicolò", "ò, which is ň in Czech"),
    ("Ó hÉigeartaigh", "Irish, with a small letter before a capital one"),
    ("Käthe Öztürk Çelik", "Turkish names that fit into Windows-1252"),
    ("€5 £5 20 m³", "currencies and units"),
    ("Straße Höß", "ß"),
    ("9123\xa04567", "no letter at all, but a NBSP from a web page"),
    ("Ann\xa0Lee", "a NBSP between names"),
    ("Novák Tomáš", "Czech whose letters are the same in Windows-1252"),
]

FOREIGN = [
    ("Łukasz", "cp1250", "Polish: £ukasz"),
    ("Żółć", "cp1250", "Polish: ¯ó³æ"),
    ("Wałęsa", "cp1250", "Polish: Wa³êsa"),
    ("Gdańsk", "cp1250", "Polish that could almost be Spanish: Gdañsk"),
    ("Dvořák", "cp1250", "Czech that could almost be Danish: Dvoøák"),
    ("Zdeněk Němec", "cp1250", "Czech that could almost be Italian: Nìmec"),
    ("Růžička", "cp1250", "Czech: Rùžièka"),
    ("Erdős", "cp1250", "Hungarian that could almost be Portuguese: Erdõs"),
    ("Kovačić", "cp1250", "Croatian that could almost be French: Kovaèiæ"),
    ("Đorđe", "cp1250", "Serbian that could almost be Icelandic: Ðorðe"),
    ("Răzvan Ionuţ", "cp1250", "Romanian: Rãzvan"),
    ("Novák Tomáš Jiří", "iso8859_2", "Czech of Unix"),
    ("Yılmaz", "cp1254", "Turkish: Yýlmaz"),
    ("Doğan Şahin Ayşe", "cp1254", "Turkish that could almost be Icelandic: Doðan Þahin"),
    ("Jānis Bērziņš", "cp1257", "Latvian: Jânis Bçrziòð"),
    ("Юлия", "cp1251", "Russian: Þëèÿ"),
    ("Ян", "cp1251", "two letters"),
    ("Мария Иванова", "koi8_r", "Russian of Unix"),
    ("Ελένη", "cp1253", "Greek"),
    ("משה", "cp1255", "Hebrew"),
    ("محمد", "cp1256", "Arabic"),
    ("สมชาย", "cp874", "Thai"),
    ("太郎", "shift_jis", "Japanese"),
    ("鈴木", "shift_jis", "Japanese that starts with a dash: —é–Ø"),
    ("王芳", "gb18030", "Chinese"),
    ("小明", "big5", "Chinese of Taiwan"),
    ("김철수", "cp949", "Korean"),
    ("Renée", "mac_roman", "a Macintosh: RenŽe"),
    ("Müller", "mac_roman", "a Macintosh: MŸller"),
    ("Jörg", "mac_roman", "a Macintosh that could almost be Czech: Jšrg"),
    ("José García", "mac_roman", "a Macintosh with an apostrophe: Garc’a"),
    ("Peña", "mac_roman", "a Macintosh with a dash: Pe–a"),
    ("Hélène", "cp850", "DOS: H‚lŠne"),
    ("Jürgen", "cp850", "DOS: a byte that Windows-1252 doesn't have"),
    ("città", "cp850", "DOS: citt…"),
    ("Márquez", "cp850", "DOS, which has á where Windows has NBSP"),
    ("5 €", "iso8859_15", "the euro of Latin-9, which Windows-1252 has as ¤"),
]


@pytest.mark.parametrize(("name", "why"), WESTERN, ids=[row[-1] for row in WESTERN])
def test_western_text_is_read_as_windows_1252(tmp_path: Path, name: str, why: str) -> None:
    path = written(tmp_path, f'phone,name\n1,"{name}"\n', "cp1252")
    remarks: list[str] = []
    assert [("1", name)] == rows(Source(path), remarks)
    assert [
        "a.csv is read as Windows-1252, found out from its bytes; set recipients.encoding if names look wrong"
    ] == remarks


@pytest.mark.parametrize(("name", "encoding", "why"), FOREIGN, ids=[row[-1] for row in FOREIGN])
def test_any_other_encoding_is_refused_and_can_be_told(tmp_path: Path, name: str, encoding: str, why: str) -> None:
    path = written(tmp_path, f"phone,name\n1,{name}\n", encoding)
    with pytest.raises(InputError, match=r'this is not UTF-8, and .*; save it as "CSV UTF-8", or set'):
        rows(Source(path))
    assert [("1", name)] == rows(Source(path, encoding=encoding))


@pytest.mark.parametrize(
    ("name", "encoding", "hint"),
    [
        ("Łukasz", "cp1250", 'windows-1250 makes that "Łukasz"'),
        ("Юлия", "cp1251", 'windows-1251 makes that "Юлия"'),
        ("Ελένη", "cp1253", 'windows-1253 makes that "Ελένη"'),
        ("Müller", "mac_roman", 'mac-roman makes that "Müller"'),
        ("太郎", "shift_jis", 'shift-jis makes that "太郎"'),
    ],
)
def test_the_remedy_shows_what_other_encodings_would_say(tmp_path: Path, name: str, encoding: str, hint: str) -> None:
    path = written(tmp_path, f"phone,name\n1,Ann\n2,{name}\n", encoding)
    with pytest.raises(InputError) as error:
        rows(Source(path))
    assert str(error.value).startswith(f"{path}:3:1: ")
    assert hint in str(error.value)


def test_one_name_that_cannot_be_western_is_enough(tmp_path: Path) -> None:
    path = written(tmp_path, "phone,name\n" + "1,Müller\n" * 500 + "2,Łukasz\n" + "1,Jäger\n" * 500, "cp1250")
    with pytest.raises(InputError, match=r"a\.csv:502:1: this is not UTF-8, and surely not Windows-1252 either"):
        rows(Source(path))


TOLD_BY_ITS_BYTES = [
    ("utf-8", None, "plain"),
    ("utf-8-sig", None, "Excel's CSV UTF-8"),
    ("utf-16", "a.csv is read as UTF-16", "Excel's Unicode text, with a mark"),
    ("utf-16-le", "a.csv is read as UTF-16, found out from its bytes", "without a mark, told by its zeros"),
    ("utf-16-be", "a.csv is read as UTF-16, found out from its bytes", "the other way round"),
    ("utf-32", "a.csv is read as UTF-32", "a mark that starts as that of UTF-16 does"),
]


@pytest.mark.parametrize(("encoding", "remark", "why"), TOLD_BY_ITS_BYTES, ids=[row[-1] for row in TOLD_BY_ITS_BYTES])
def test_unicode(tmp_path: Path, encoding: str, remark: str | None, why: str) -> None:
    path = written(tmp_path, "phone\tname\r\n1\tЮлия\r\n2\t太郎 😀\r\n", encoding)
    remarks: list[str] = []
    assert ["phone", "name"] == read_header(Source(path))
    assert [("1", "Юлия"), ("2", "太郎 😀")] == rows(Source(path), remarks)
    assert [*([remark] if remark else []), "a.csv has its cells parted by tabs"] == remarks


def test_a_mark_and_the_word_of_the_campaign_agree(tmp_path: Path) -> None:
    for mark, told in (("utf-8-sig", "utf-8"), ("utf-16", "utf-16-le"), ("utf-8-sig", "UTF8")):
        source = Source(written(tmp_path, "phone\n1\n", mark), encoding=told)
        assert ["phone"] == read_header(source)
        assert [("1",)] == rows(source)


BROKEN = [
    (b"phone,name\n1,Zo\xc3\xab\n2,Zo\xeb\n", None, "3:5: this line is not UTF-8, but line 2 is: two files"),
    (b"\xef\xbb\xbfphone\n1\n\xff\n", None, "3:1: this is not UTF-8, which its first bytes say"),
    (b"phone,name\r1,\xc3\r", "utf-8", "2:3: this is not utf-8, which recipients.encoding says"),
    (b"phone,name\r\n1,\x83\r\n", "shift_jis", "2:3: this is not shift_jis, which recipients.encoding says"),
    (codecs.BOM_UTF16_LE + "phone\n1\n".encode("utf-16-le") + b"\0", None, "3:1: this is not UTF-16, which its first"),
    (codecs.BOM_UTF16_LE + "phone\n1".encode("utf-16-le") + b"\0\xd8\n\0", None, "2:2: this is not UTF-16, which its"),
]


@pytest.mark.parametrize(("content", "told", "message"), BROKEN, ids=[row[-1] for row in BROKEN])
def test_bytes_that_do_not_fit_are_placed(tmp_path: Path, content: bytes, told: str | None, message: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        rows(Source(path, encoding=told))
    assert str(error.value).startswith(f"{path}:{message}")


def test_a_mark_and_the_word_of_the_campaign_that_disagree(tmp_path: Path) -> None:
    path = written(tmp_path, "phone\n1\n", "utf-8-sig")
    with pytest.raises(InputError, match='is UTF-8, as its first bytes say, and not "windows-1252"; leave'):
        rows(Source(path, encoding="windows-1252"))


@pytest.mark.parametrize("told", ["latin-17", "rot13", "base64", "zip", "idna\0"])
def test_what_is_no_text_encoding(tmp_path: Path, told: str) -> None:
    path = written(tmp_path, "phone\n1\n", "utf-8")
    with pytest.raises(InputError, match=r"recipients.encoding: .* is not the name of a text encoding; write one such"):
        read_header(Source(path, encoding=told))


def test_japanese_of_mails_is_ascii_and_yet_no_utf8(tmp_path: Path) -> None:
    path = written(tmp_path, "phone,name\n1,太郎\n", "iso2022_jp")
    with pytest.raises(InputError, match=r"looks like Japanese in ISO-2022; .* recipients.encoding: iso2022_jp"):
        rows(Source(path))
    assert [("1", "太郎")] == rows(Source(path, encoding="iso2022_jp"))


def test_the_header_is_read_without_the_rows_where_it_is_ascii(tmp_path: Path) -> None:
    path = written(tmp_path, "phone,name\n1,Юлия\n", "cp1251")
    assert ["phone", "name"] == read_header(Source(path))


@pytest.mark.parametrize("before", ["", "sep=;\n", ";;\n\n"])
def test_a_header_beyond_ascii_depends_on_the_rows(tmp_path: Path, before: str) -> None:
    path = written(tmp_path, f"{before}téléphone;prénom\n1;Zoë\n", "cp1252")
    assert ["téléphone", "prénom"] == read_header(Source(path))
    assert [("1", "Zoë")] == rows(Source(path))


def test_a_line_without_an_end(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"phone\n" + b"1" * (18 << 20))
    with pytest.raises(InputError, match="has a line of more than 16 MB"):
        rows(Source(path))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(st.characters(codec="utf-8"), max_size=60))
def test_whatever_is_utf8_is_read_as_utf8(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"phone,name\n{text}", encoding="utf-8", newline="")
    if "\x1b$" not in text:
        assert "utf-8" == charset_of(path, Packing.NONE).codec


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(content=st.binary(max_size=80))
def test_whatever_the_bytes_are_there_is_an_answer(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"phone,name\n1," + content)
    try:
        codec = charset_of(path, Packing.NONE).codec
    except InputError:
        return
    assert codec in ("utf-8", "cp1252", "utf-16-le", "utf-16-be")
    path.read_text(codec)


STEMS = ["Müller", "Böhm", "Jäger", "Groß", "Köhler", "Krämer", "Schäfer", "Günther", "Weiß", "Lörrach", "Kühn", "Bär"]
GERMAN = [stem + end for end in ("", "s", "mann", "berg", "feld") for stem in STEMS]


def test_among_many_names_a_strange_one_is_left_out_by_itself(tmp_path: Path) -> None:
    names = [*STEMS, "£ukasz", *GERMAN]
    path = written(tmp_path, "name\n" + "".join(f"{name}\n" for name in names), "cp1252")
    found = rows(Source(path))

    assert [(name,) for name in names if name != "£ukasz"] == [row for row in found if not isinstance(row, Unreadable)]
    [strange] = [row for row in found if isinstance(row, Unreadable)]
    assert 'line 14 says "£ukasz" as Windows-1252' in strange.words
    assert "recipients.encoding: windows-1252" in strange.words


def test_a_strange_name_is_read_when_the_campaign_says_so(tmp_path: Path) -> None:
    path = written(tmp_path, "name\nMüller\n£ukasz\n", "cp1252")
    with pytest.raises(InputError):
        rows(Source(path))

    assert ("£ukasz",) == rows(Source(path, encoding="windows-1252"))[-1]
