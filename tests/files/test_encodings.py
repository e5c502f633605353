"""Encodings: named, shown by bytes, or refused with what the doubtful words may say. Never a garbled name."""

import codecs
import os
import random
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.base.errors import InputError
from runner.campaign.values import InvalidValue, text_encoding
from runner.files.encodings import find_codec
from runner.files.formats import Format
from runner.files.reader import read_header, read_rows
from runner.files.source import Cells, Source, UnreadableRow

READING = re.compile(r'("[^"]*"(?: "[^"]*")*) as ([a-z0-9-]+)')
SAVE = 'save it as "CSV UTF-8"'


def written(folder: Path, text: str, encoding: str) -> Path:
    path = folder / "a.csv"
    path.write_bytes(text.encode(encoding))
    return path


def rows(source: Source, remarks: list[str] | None = None) -> list[Cells | UnreadableRow]:
    return [row for batch in read_rows(source, remarks=remarks) for row in batch.rows]


def refusal(source: Source) -> str:
    with pytest.raises(InputError) as error:
        rows(source)
    return str(error.value)


def first_beyond_ascii(text: str) -> int:
    return next(place for place, character in enumerate(text) if not character.isascii())


def readings(message: str) -> dict[str, str]:
    """Words by the encoding that reads them so."""
    return {encoding: words.replace('"', "") for words, encoding in READING.findall(message)}


NAMES = [
    ("Zoë", "cp1252", "one name"),
    ("Müller", "cp1252", "German; the same letter in every Latin code page"),
    ("François", "cp1252", "French"),
    ("Agnès", "cp1252", "è, which is č in Central Europe"),
    ("L’été", "cp1252", "the apostrophe of a word processor"),
    ("Guðrún", "cp1252", "ð, which is ğ in Turkish"),
    ("Ann\xa0Lee", "cp1252", "a NBSP from a web page"),
    ("Dvořák", "cp1250", "Czech"),
    ("Erdős", "cp1250", "Hungarian"),
    ("Łukasz", "cp1250", "Polish"),
    ("Юлия", "cp1251", "Russian"),
    ("Ελένη", "cp1253", "Greek"),
    ("Yılmaz", "cp1254", "Turkish"),
    ("Renée", "mac_roman", "a Macintosh"),
    ("Hélène", "cp850", "DOS"),
    ("Мария", "koi8_r", "Russian of Unix"),
    ("太郎", "shift_jis", "Japanese"),
    ("王芳", "gb18030", "Chinese"),
    ("小明", "big5", "Chinese of Taiwan"),
    ("김철수", "cp949", "Korean"),
]


@pytest.mark.parametrize(("name", "encoding", "why"), NAMES, ids=[row[-1] for row in NAMES])
def test_a_name_in_another_encoding_is_refused_with_its_readings(
    tmp_path: Path, name: str, encoding: str, why: str
) -> None:
    """Writing any of the encodings shown into the campaign file reads what was shown."""
    path = written(tmp_path, f"phone,name\n1,Ann\n2,{name}\n", encoding)
    message = refusal(Source(path))

    shown = readings(message)
    assert message.startswith(f"{path}:3:{3 + first_beyond_ascii(name)}: this is not UTF-8; read in other encodings: ")
    assert name.replace("\xa0", " ") in shown.values()
    assert 1 <= len(shown) == len(set(shown.values())) <= 3
    first = next(iter(shown))
    right = ", or the encoding with the right text" if len(shown) > 1 else " if the text is right"
    assert message.endswith(f"; write encoding: {first} under recipients{right}; or {SAVE}")
    for codec, words in shown.items():
        found = rows(Source(path, encoding=text_encoding(codec)))[-1]
        assert not isinstance(found, UnreadableRow)
        assert words == found[1].replace("\xa0", " ")
        assert ["phone", "name"] == read_header(Source(path, encoding=text_encoding(codec)))


def test_windows_1252_is_shown_first_and_not_as_latin_1_too(tmp_path: Path) -> None:
    shown = readings(refusal(Source(written(tmp_path, "phone,name\n1,Zoë\n", "latin-1"))))
    assert ("windows-1252", "Zoë") == next(iter(shown.items()))
    assert not {"latin-1", "iso8859-1"} & set(shown)


def test_words_that_tell_the_readings_apart_are_shown(tmp_path: Path) -> None:
    """Müller reads alike in Windows-1252 and 1250, so it tells nothing."""
    path = written(tmp_path, "phone,name\n1,Müller\n2,Böhm\n3,Łukasz\n", "cp1250")
    shown = readings(refusal(Source(path)))
    assert ("£ukasz", "Łukasz") == (shown["windows-1252"], shown["windows-1250"])


def test_a_reading_that_the_rest_of_the_file_refuses_is_not_shown(tmp_path: Path) -> None:
    """8F is no character of Windows-1252; it comes long after the words that are shown."""
    path = tmp_path / "a.csv"
    path.write_bytes(b"phone,name\n" + "1,Zoë\n".encode("cp1252") * 5_000 + b"2,\x8f\n")
    shown = readings(refusal(Source(path)))
    assert shown
    assert "windows-1252" not in shown
    for codec in shown:
        assert 5_001 == len(rows(Source(path, encoding=codec)))


def test_cells_that_pipes_part(tmp_path: Path) -> None:
    """A pipe is the second byte of some Japanese letters: ポ."""
    path = written(tmp_path, "phone|name|city\n1|ポール|東京\n", "cp932")
    assert readings(refusal(Source(path)))["cp932"] in ("ール", "東京")
    path = written(tmp_path, "phone|name|city\n1|Zoë|Penang\n", "cp1252")
    assert "Zoë" == readings(refusal(Source(path)))["windows-1252"]


def test_a_file_that_no_key_tells_the_encoding_of(tmp_path: Path) -> None:
    """Suppression lists and files of conversions."""
    path = written(tmp_path, "phone,name\n1,Zoë\n", "cp1252")
    message = refusal(Source(path, encoding_key=None))
    assert "Zoë" == readings(message)["windows-1252"]
    assert message.endswith(f"; {SAVE}")
    assert "recipients" not in message


@pytest.mark.parametrize("content", [b"\x81\xff\n", b"\xff\xff\xff\xff"])
def test_bytes_that_are_in_no_encoding(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"phone,name\n1," + content)
    assert refusal(Source(path)).startswith(f"{path}:2:3: this is not UTF-8")


NOT_TEXT = [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\xff", bytes(range(256)), random.Random(1).randbytes(5_000)]


@pytest.mark.parametrize("content", NOT_TEXT, ids=["a picture", "each byte", "any bytes"])
def test_what_is_no_text(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"this is not a text file; export the list again as CSV"):
        read_header(Source(path))


CHARACTER = "太"  # three bytes of UTF-8


@pytest.mark.parametrize("before", range(3))
def test_a_character_that_the_first_megabyte_cuts(tmp_path: Path, before: int) -> None:
    path = written(tmp_path, f"phone,name\n1,{'a' * before}" + f"{CHARACTER * 50}\n2," * 10_000, "utf-8")
    assert ["phone", "name"] == read_header(Source(path))


@pytest.mark.parametrize("before", range(2))
def test_a_character_of_two_bytes_that_the_first_megabyte_cuts(tmp_path: Path, before: int) -> None:
    path = written(tmp_path, f"phone,name\n1,{'a' * before}" + f"{CHARACTER * 50}\n2," * 15_000, "cp932")
    with pytest.raises(InputError) as error:
        read_header(Source(path))
    assert CHARACTER in readings(str(error.value))["cp932"]


def test_the_header_is_read_without_most_of_the_rows(tmp_path: Path) -> None:
    """`campaign check` must be fast: this file, a hole of 64 GB behind its rows, would take minutes to read."""
    path = written(tmp_path, "phone,name\n1,Ann\n", "utf-8")
    os.truncate(path, 64 << 30)
    assert ["phone", "name"] == read_header(Source(path))
    assert ["phone", "name"] == read_header(Source(path, encoding="windows-1252"))


def test_what_the_rows_refuse_the_header_refuses_already(tmp_path: Path) -> None:
    path = written(tmp_path, "phone,name\n" + "1,Ann\n" * 1_000 + "2,Zoë\n", "cp1252")
    with pytest.raises(InputError) as error:
        read_header(Source(path))
    assert refusal(Source(path)) == str(error.value)


def test_what_comes_late_is_refused_in_the_same_words(tmp_path: Path) -> None:
    late = written(tmp_path, "phone,name\n" + "1,Ann\n" * 300_000 + "2,Zoë\n", "cp1252")
    assert ["phone", "name"] == read_header(Source(late))
    message = refusal(Source(late))
    early = written(tmp_path, "phone,name\n2,Zoë\n", "cp1252")
    assert refusal(Source(early)).replace(":2:5:", ":300002:5:") == message


def test_a_header_in_another_encoding(tmp_path: Path) -> None:
    path = written(tmp_path, "téléphone;prénom\n1;Zoë\n", "cp1252")
    with pytest.raises(InputError, match=r'" as windows-1252, .*; write encoding: windows-1252 under recipients'):
        read_header(Source(path))
    assert ["téléphone", "prénom"] == read_header(Source(path, encoding="windows-1252"))


TOLD_BY_ITS_BYTES = [
    ("utf-8", None, "plain"),
    ("utf-8-sig", None, "Excel's CSV UTF-8"),
    ("utf-16", "a.csv is read as UTF-16", "Excel's Unicode text, with a mark"),
    ("utf-16-le", "a.csv is read as UTF-16 (detected)", "without a mark, told by its zeros"),
    ("utf-16-be", "a.csv is read as UTF-16 (detected)", "the other way round"),
    ("utf-32", "a.csv is read as UTF-32", "a mark that starts as that of UTF-16 does"),
]


@pytest.mark.parametrize(("encoding", "remark", "why"), TOLD_BY_ITS_BYTES, ids=[row[-1] for row in TOLD_BY_ITS_BYTES])
def test_unicode(tmp_path: Path, encoding: str, remark: str | None, why: str) -> None:
    path = written(tmp_path, "phone\tname\r\n1\tЮлия\r\n2\t太郎 😀\r\n", encoding)
    remarks: list[str] = []
    assert ["phone", "name"] == read_header(Source(path))
    assert [("1", "Юлия"), ("2", "太郎 😀")] == rows(Source(path), remarks)
    assert [*([remark] if remark else []), "a.csv: cells are separated by tabs"] == remarks


def test_a_mark_and_the_word_of_the_campaign_agree(tmp_path: Path) -> None:
    for mark, told in (("utf-8-sig", "utf-8"), ("utf-16", "utf-16-le"), ("utf-8-sig", "UTF8")):
        source = Source(written(tmp_path, "phone\n1\n", mark), encoding=told)
        assert ["phone"] == read_header(source)
        assert [("1",)] == rows(source)


MIXED = "correct it; or if you merged files in different encodings, "
BROKEN = [
    (b"phone,name\n1,Zo\xc3\xab\n2,Zo\xeb\n", None, f"3:5: this line is not UTF-8, but line 2 is; {MIXED}"),
    (b"phone,name\n1,Zo\xeb\n2,Zo\xc3\xab\n", None, f"2:5: this line is not UTF-8, but line 3 is; {MIXED}"),
    ("phone,naïve\n".encode() * 99 + b"1,Zo\xc3\n", None, f"100:5: this line is not UTF-8, but line 1 is; {MIXED}"),
    (b"\xef\xbb\xbfphone\n1\n\xff\n", None, "3:1: this is not valid UTF-8, although the file has its byte order mark"),
    (b"phone,name\r1,\xc3\r", "utf-8", "2:3: this is not valid utf-8 (recipients.encoding)"),
    (b"phone,name\r\n1,\x83\r\n", "shift_jis", "2:3: this is not valid shift_jis (recipients.encoding)"),
    (
        codecs.BOM_UTF16_LE + "phone\n1\n".encode("utf-16-le") + b"\0",
        None,
        "3:1: this is not valid UTF-16, although the file",
    ),
    (
        codecs.BOM_UTF16_LE + "phone\n1".encode("utf-16-le") + b"\0\xd8\n\0",
        None,
        "2:2: this is not valid UTF-16, although",
    ),
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
    with pytest.raises(
        InputError, match=r'is in UTF-8 \(it has a byte order mark\), not in "windows-1252"; remove recipients.encoding'
    ):
        rows(Source(path, encoding="windows-1252"))


@pytest.mark.parametrize("name", ["latin-17", "rot13", "base64", "zip", "idna\0"])
def test_the_campaign_file_names_no_codec_that_is_no_text_encoding(name: str) -> None:
    with pytest.raises(InvalidValue, match="is not an encoding"):
        text_encoding(name)


def test_a_codec_that_goes_by_no_error_handler(tmp_path: Path) -> None:
    """Python's punycode refuses handlers that it doesn't know: the place is the file's beginning then."""
    (tmp_path / "r.csv").write_bytes(b"name\nZo\xeb\n")
    assert "r.csv:1:1: this is not valid punycode" in refusal(Source(tmp_path / "r.csv", encoding="punycode"))


def test_japanese_of_mails_is_ascii_and_yet_no_utf8(tmp_path: Path) -> None:
    path = written(tmp_path, "phone,name\n1,太郎\n", "iso2022_jp")
    with pytest.raises(
        InputError, match=r"seems to be Japanese text in ISO-2022; save .*, or set recipients.encoding: iso2022_jp"
    ):
        rows(Source(path))
    assert [("1", "太郎")] == rows(Source(path, encoding="iso2022_jp"))


def test_lines_in_gbk_that_happen_to_be_utf8(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    accident = "模".encode("gb18030")  # ģ in UTF-8
    path.write_bytes(b"name\n" + accident + b"\n" + "王芳\n李娜\n张伟\n刘洋\n陈静\n".encode("gb18030") * 5)
    shown = readings(refusal(Source(path)))
    assert "模 王芳" == shown["gb18030"]


def test_a_few_lines_in_utf8_show_up_in_each_reading(tmp_path: Path) -> None:
    """Else somebody would write windows-1252, and texts would say ZoÃ«."""
    path = tmp_path / "a.csv"
    path.write_bytes(b"name\n" + "Müller\nJäger\n".encode("cp1252") * 10 + "Zoë\n".encode())
    assert readings(refusal(Source(path)))["windows-1252"].startswith("ZoÃ« ")


def test_a_line_without_an_end(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"phone\n" + b"1" * (18 << 20))
    with pytest.raises(InputError, match="has a line of more than 16 MB"):
        rows(Source(path))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(codec="utf-8"), max_size=60))
def test_whatever_is_utf8_is_read_as_utf8(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"phone,name\n{text}", encoding="utf-8", newline="")
    if "\x1b$" not in text:
        assert "utf-8" == find_codec(Source(path), Format.TEXT, [], whole=True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=80))
def test_whatever_the_bytes_are_there_is_an_answer(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"phone,name\n1," + content)
    try:
        codec = find_codec(Source(path), Format.TEXT, [], whole=True)
    except InputError as error:
        for shown in readings(str(error)):
            path.read_text(shown)
        return
    assert codec in ("utf-8", "utf-16-le", "utf-16-be")
    path.read_text(codec)
