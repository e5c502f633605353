"""How often a CSV's encoding is found out right: `python -m benchmarks.encodings`.

The words are Babel's names of countries, languages and currencies, which neither the rules nor the library were made
with. Each sample is written in an encoding of its language and read without being told which.
"""

import random
import tempfile
from pathlib import Path

from babel import Locale

from runner.audience.files import Unreadable, read_rows
from runner.audience.spec import Source
from runner.errors import InputError

SAMPLES = 30
WORDS = (1, 3, 20, 200)
WESTERN = {"cp1252": "de fr es pt it nl sv da nb fi is ca en ga gl eu lb fo gd sq"}
OTHERS = {
    "cp1250": "pl cs hu sk hr sl ro bs",
    "cp1254": "tr az",
    "cp1257": "lt lv et",
    "cp1251": "ru uk bg sr",
    "cp1253": "el",
    "cp1255": "he",
    "cp1256": "ar fa",
    "mac_roman": "de fr es pt it sv da nb",
    "cp850": "de fr es pt it sv da",
    "koi8_r": "ru",
    "iso8859_2": "pl cs hu",
    "shift_jis": "ja",
    "gb18030": "zh",
    "big5": "zh_Hant",
    "cp949": "ko",
}


def names(language: str, encoding: str) -> list[str]:
    """The language's words that its encoding can write and ASCII can't."""
    locale = Locale.parse(language)
    found = []
    for name in (*locale.territories.values(), *locale.languages.values(), *locale.currencies.values()):
        word = str(name).replace("\u2019", "'").replace(",", "")
        try:
            word.encode(encoding)
        except UnicodeEncodeError:
            continue
        if not word.isascii():
            found.append(word)
    return found


def read(path: Path, words: list[str], encoding: str) -> list[str | None] | None:
    """The words as they were read, None for those whose row was left out; None when the file was refused."""
    path.write_text("phone,name\n" + "".join(f"+6591234567,{word}\n" for word in words), encoding=encoding)
    try:
        rows = [row for batch in read_rows(Source(path)) for row in batch.rows]
    except InputError:
        return None
    return [None if isinstance(row, Unreadable) else row[1] for row in rows]


def measure(languages: dict[str, str], count: int, folder: Path) -> tuple[float, float, float]:
    """The shares of files that were read, of their rows that were left out, and of their words that were garbled."""
    rng = random.Random(1)  # noqa: S311 - the same samples each time
    files = taken = rows = left_out = garbled = 0
    for encoding, codes in languages.items():
        for language in codes.split():
            known = names(language, encoding)
            for _ in range(SAMPLES if known else 0):
                words = rng.sample(known, min(count, len(known)))
                found = read(folder / "a.csv", words, encoding)
                files += 1
                if found is None:
                    continue
                taken += 1
                rows += len(words)
                left_out += found.count(None)
                garbled += sum(
                    word is not None and word != meant.strip() for word, meant in zip(found, words, strict=True)
                )
    return taken / files, left_out / max(rows, 1), garbled / max(rows, 1)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        print(f"{'words':>5}  {'encoding':<13} {'files read':>10} {'rows left out':>13} {'words garbled':>13}")
        for count in WORDS:
            for title, languages in (("Windows-1252", WESTERN), ("others", OTHERS)):
                taken, left_out, garbled = measure(languages, count, Path(name))
                print(f"{count:>5}  {title:<13} {taken:>10.1%} {left_out:>13.2%} {garbled:>13.2%}")


if __name__ == "__main__":
    main()
