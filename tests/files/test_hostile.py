"""Files of any content are read, or refused with words: no other error, and nothing that a library prints."""

import contextlib
import datetime as dt
import random
from pathlib import Path

import polars as pl
import pytest

from runner.base.errors import InputError
from runner.files.reader import read_header, read_numbered, read_rows
from runner.files.source import Source

USED = frozenset({"phone", "name"})


def read(path: Path) -> None:
    """Read the file in every way."""
    for source in (Source(path), Source(path, used=USED), Source(path, where="phone IS NOT NULL", used=USED)):
        with contextlib.suppress(InputError):
            read_header(source)
            list(read_rows(source))
            list(read_numbered(source))


# What people's files and programs put anywhere in a CSV.
ODDITIES = [
    b"\0", b"\xef\xbb\xbf", b"\xff\xfe", b"\r", b"\r\n", b"\n\r", b"\n\n",
    b'"', b"'", b'""', b',"', b'"\n', b";", b"\t", b"|",
    b"\xe9", b"\xc3", b"\xed\xa0\x80", b"\x1a", b"\x0c", b"\x85", b"\xe2\x80\xa8",
    b"\\", b"=1+1", b"\xc2\xa0", b",,,,", b"sep=;\n",
]  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_a_csv_with_oddities(tmp_path: Path, seed: int) -> None:
    made, path = random.Random(seed), tmp_path / f"a.{'tsv' if seed % 4 == 3 else 'csv'}"
    for _ in range(40):
        content = bytearray(b"phone,name,city\n+6581234567,Ann,Ipoh\n+6581234568,\xc3\x89va,Penang\n")
        for _ in range(made.choice([1, 1, 2, 5])):
            place = made.choice([0, made.randrange(len(content) + 1), len(content)])
            content[place:place] = made.choice(ODDITIES)
        path.write_bytes(content)
        read(path)


def test_latin_1_in_the_last_row(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"phone,name\n" + b"+6581234567,Ann\n" * 100_000 + b"+6581234568,\xc9va\n")
    with pytest.raises(InputError, match=r"a\.csv:100002:13: this is not UTF-8; read in other encodings: \"Éva\" as"):
        list(read_rows(Source(path)))


@pytest.mark.parametrize("seed", range(2))
def test_a_damaged_parquet_file(tmp_path: Path, seed: int, capfd: pytest.CaptureFixture[str]) -> None:
    made, path = random.Random(seed), tmp_path / "a.parquet"
    pl.DataFrame(
        {
            "phone": ["+6581234567"] * 20,
            "name": [b"Ann"] * 20,
            "day": [dt.date(2026, 12, 1)] * 20,
            "tags": [["a"]] * 20,
            "home": [{"city": "Ipoh", "since": 1.5}] * 20,
            "kind": pl.Series(["a"] * 20, dtype=pl.Categorical),
        }
    ).write_parquet(path)
    whole = path.read_bytes()
    for _ in range(25):
        content = bytearray(whole)
        for _ in range(made.choice([1, 1, 2, 8])):
            content[made.randrange(4, len(content) - 8)] ^= 1 << made.randrange(8)
        path.write_bytes(content)
        read(path)
    assert "" == capfd.readouterr().err
