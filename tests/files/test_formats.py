"""Files that are not what their ending says, and files that change while they are read."""

import gzip
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import polars as pl
import pytest

from runner.base.errors import InputError
from runner.base.exclusions import Duplicates
from runner.files.formats import Format, identify, unchanged
from runner.files.reader import read_header, read_rows
from runner.files.source import Source
from tests.audience.rows import judged
from tests.files.workbook import write_workbook

# Without the time, so that each process collects the same tests.
gzipped = partial(gzip.compress, mtime=0)

OLD_EXCEL = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)

ZIP = b"PK\x03\x04...."
NOT_TEXT = "should be text (by its extension), but is"
NO_SHEET = "should be a spreadsheet (by its extension), but is"
MISNAMED = [
    ("a.csv", b"", "is empty; write the column names on the first line"),
    ("a.xlsx", b"", "is empty; write the column names on the first line"),
    ("a.parquet", b"", "is empty; write the column names on the first line"),
    ("a.csv.gz", b"", "is empty; write the column names on the first line"),
    ("a.csv", OLD_EXCEL, f"{NOT_TEXT} an old Excel workbook (XLS); rename it to a.xls, or save it as \"CSV UTF-8\""),
    ("a.csv", b"PAR1....", f"{NOT_TEXT} a Parquet file; rename it to a.parquet"),
    ("a.csv", gzipped(b"phone\n"), f"{NOT_TEXT} compressed with gzip; rename it to a.csv.gz"),
    ("a.csv", b"\x28\xb5\x2f\xfd....", f"{NOT_TEXT} compressed with zstd; rename it to a.csv.zst"),
    ("a.csv", ZIP, f"{NOT_TEXT} a ZIP archive or a damaged spreadsheet; unpack it and use the file inside"),
    ("a.csv", b"%PDF-1.7\n", f"{NOT_TEXT} a PDF document; export the list again as CSV"),
    ("a.csv", b"<!DOCTYPE html><table>", f"{NOT_TEXT} a web page (HTML) or an XML file; open it in a spreadsheet"),
    ("a.csv", b'\xef\xbb\xbf\n[{"phone": 1}]', f"{NOT_TEXT} a JSON file; export the list again as CSV"),
    ("a.csv", b'{"phone": 1}\n{"phone": 2}', f"{NOT_TEXT} a JSON file; export the list again as CSV"),
    ("a.csv", '{"phone": 1}'.encode("utf-16"), f"{NOT_TEXT} a JSON file; export the list again as CSV"),
    ("a.xlsx", b"phone,name\n1,a\n", f'{NO_SHEET} not; rename it to a.csv if it is a text file, or save it as'),
    ("a.xlsx", ZIP, f"{NO_SHEET} a ZIP archive or a damaged spreadsheet; unpack it"),
    ("a.xls", b"<html><table>", f"{NO_SHEET} a web page (HTML) or an XML file; open it in a spreadsheet"),
    ("a.xls", b"<?xml version='1.0'?><Workbook xmlns='urn:schemas-microsoft-com:office:spreadsheet'/>",
     f"{NO_SHEET} a web page (HTML) or an XML file; open it in a spreadsheet"),
    ("a.xlsx", b"PAR1....", f"{NO_SHEET} a Parquet file; rename it to a.parquet"),
    ("a.parquet", b"phone\n1\n", "should be a Parquet file (by its extension), but is not; rename it to a.csv if"),
    ("a.csv.gz", b"phone\n1\n", "should be compressed with gzip (by its extension), but is not; rename it to a.csv if"),
    ("a.csv.gz", b"\x28\xb5\x2f\xfd..", "should be compressed with gzip (by its extension), but is compressed "
     "with zstd; rename it to a.csv.zst"),
    ("a.csv.gz", gzipped(b"%PDF-1.7"), "doesn't contain text; the content is a PDF document; unpack it and use"),
    ("a.csv.gz", gzipped(b"phone\n1\n" * 99)[:30], "is a damaged or incomplete archive"),
    ("a.parquet.gz", gzipped(b"PAR1"), "is a compressed .parquet file, which is not supported; unpack it"),
    ("a.xlsx.zst", b"\x28\xb5\x2f\xfd", "is a compressed .xlsx file, which is not supported; unpack it to a.xlsx"),
    ("a.gz", gzipped(b"phone\n"), "has no extension for the format inside the archive; rename it to end in"),
    ("a.json", b"[[]]", "has the unsupported extension .json and is a JSON file; use a .csv, .tsv, .txt"),
    ("a.csv.zip", ZIP, "has the unsupported extension .zip and is a ZIP archive or a damaged spreadsheet"),
    ("a.tab", b"phone", "has the unsupported extension .tab; use a .csv, .tsv, .txt, .xlsx or .parquet file"),
    ("a", b"phone\n", "has no file extension; use a .csv"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "message"), MISNAMED)
def test_says_what_it_is(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_header(Source(path))
    assert str(error.value).startswith(f"{path} {message}")


def test_a_workbook_by_another_name(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "a.csv", {"One": [["phone"]]})
    with pytest.raises(
        InputError, match=r"should be text .* but is an Excel workbook \(XLSX\); rename it to a\.xlsx, or save"
    ):
        identify(path)


@pytest.mark.parametrize(
    "content",
    [b"{phone},name\n", b"[phone],name\n", b"<phone>,name\n", b"PKW,phone\n"],
)
def test_text_that_starts_as_something_else_would(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    assert Format.TEXT == identify(path)


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "file").touch()
    for name, message in (
        ("nope.csv", "does not exist; check the path; it is relative to the campaign file"),
        ("file/nope.csv", "does not exist; check the path"),
        (".", "is a folder; write the path of a .csv, .tsv, .txt, .xlsx or .parquet file in it"),
        ("pipe.csv", "is a pipe or a device; save the data to a file"),
        ("x" * 300 + ".csv", "can't be read: File name too long"),
    ):
        with pytest.raises(InputError) as error:
            read_header(Source(tmp_path / name))
        assert str(error.value).startswith(f"{tmp_path / name} {message}")


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests may run as root, who may read everything, so the refusal is made up."""

    def refused(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    path = tmp_path / "a.csv"
    path.write_text("phone\n")
    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(InputError, match="can't be read: Permission denied; change its permissions, or ask its owner"):
        read_header(Source(path))


def test_the_right_kinds(tmp_path: Path) -> None:
    table = tmp_path / "a.parquet"
    pl.DataFrame({"phone": [1]}).write_parquet(table)
    packed = tmp_path / "a.TSV.GZ"
    packed.write_bytes(gzipped(b"phone\n1\n"))
    assert Format.PARQUET == identify(table)
    assert Format.GZIP == identify(packed)
    assert Format.XLSX == identify(write_workbook(tmp_path / "a.xlsx", {"One": []}))


CHANGED = "changed while it was read; wait until it is complete, then run the command again"


def test_a_file_that_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("phone\n")
    with unchanged(path):
        path.read_text()
    with unchanged(tmp_path / "nope.csv"):
        pass


def read(path: Path, in_between: Callable[[], object]) -> None:
    """Reads all rows, and does something after the first."""
    for number, _ in enumerate(read_rows(Source(path), batch_size=1)):
        if number == 0:
            in_between()


@pytest.mark.parametrize("how", ["appended", "replaced", "removed", "touched"])
def test_rows_of_a_file_that_changes(tmp_path: Path, how: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text("phone\n1\n2\n")
    with pytest.raises(InputError, match=CHANGED):
        read(path, lambda: _change(path, how))


def _change(path: Path, how: str) -> None:
    if how == "appended":
        with path.open("a") as file:
            file.write("3\n")
    elif how == "replaced":
        other = path.with_name("b.csv")
        other.write_text(path.read_text())
        stamp = path.stat()
        os.utime(other, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        other.replace(path)
    elif how == "removed":
        path.unlink()
    else:
        os.utime(path, ns=(1, 1))


def test_parquet_that_changes(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"phone": [1, 2]}).write_parquet(path)
    with pytest.raises(InputError, match=CHANGED):
        read(path, lambda: os.utime(path, ns=(1, 1)))


def test_a_quote_that_is_never_closed_in_a_half_written_file_is_no_news(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('phone,name\n1,a\n2,"b')
    with pytest.raises(InputError, match=CHANGED):
        read(path, lambda: path.write_text('phone,name\n1,a\n2,"b"\n'))


def test_a_change_between_the_two_readings_for_duplicates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.csv"
    path.write_text("phone\n+6590000001\n+6590000002\n")
    readings: list[int] = []

    def changing(source: Source, **options: int) -> object:
        readings.append(1)
        if len(readings) == 2:
            path.write_text("phone\n+6590000001\n+6590000003\n")
        return read_rows(source, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("runner.files.reader.read_rows", changing)
    with pytest.raises(InputError, match=CHANGED):
        judged(Source(path), duplicates=Duplicates.REJECT)


def test_stopping_early_asks_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("phone\n1\n2\n")
    batches = read_rows(Source(path), batch_size=1)
    next(batches)
    path.unlink()
    batches.close()
