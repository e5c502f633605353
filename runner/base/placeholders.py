"""Cells without the value that they should have: spreadsheet errors, words such as NULL, rounded numbers. Pure."""

# What is read from a spreadsheet for a formula that was never calculated.
UNCALCULATED = "#UNCALCULATED!"

# The error values of Excel, Google Sheets and LibreOffice, also as Excel translates them.
_ERRORS = [
    "#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#SPILL!", "#CALC!", "#FIELD!", "#BLOCKED!",
    "#CONNECT!", "#BUSY!", "#UNKNOWN!", "#EXTERNAL!", "#PYTHON!", "#TIMEOUT!", "#GETTING_DATA", "#ERROR!", "#ERR!",
    "#MACRO?", "#NV", "#BEZUG!", "#WERT!", "#ZAHL!", "#ÜBERLAUF!", "#KALK!", "#VALEUR!", "#NOM?", "#NUL!",
    "#NOMBRE!", "#PROPAGATION!", "#EPARS!", "#N/D", "#¡REF!", "#¡VALOR!", "#¡DIV/0!", "#¿NOMBRE?", "#¡NULO!",
    "#¡NUM!", "#¡DESBORDAMIENTO!", "#¡CALC!", "#VALOR!", "#NOME?", "#NULO!", "#NÚM!", "#DESPEJAR!", "#RIF!",
    "#VALORE!", "#NULLO!", "#ESPANSIONE!", "#N/B", "#VERW!", "#WAARDE!", "#DEEL/0!", "#NAAM?", "#LEEG!", "#GETAL!",
    "#N/D!", "#ADR!", "#ARG!", "#DZIEL/0!", "#NAZWA?", "#ZERO!", "#LICZBA!", "#Н/Д", "#ССЫЛКА!", "#ЗНАЧ!",
    "#ДЕЛ/0!", "#ИМЯ?", "#ПУСТО!", "#ЧИСЛО!", "#ПЕРЕНОС!", "#YOK", "#BAŞV!", "#DEĞER!", "#SAYI/0!", "#AD?", "#BOŞ!",
    "#SAYI!", "#SAKNAS!", "#REFERENS!", "#VÄRDEFEL!", "#DIVISION/0!", "#NAMN?", "#SKÄRNING!", "#OGILTIGT!", "#I/T",
    "#REFERENCE!", "#VÆRDI!", "#NAVN?", "#VERDI!", "#PUUTTUU!", "#VIITTAUS!", "#ARVO!", "#JAKO/0!", "#NIMI?",
    "#TYHJÄ!", "#LUKU!", "#NENÍ_K_DISPOZICI", "#ODKAZ!", "#HODNOTA!", "#DĚLENÍ_NULOU!", "#NÁZEV?", "#ČÍSLO!",
    "#HIÁNYZIK", "#HIV!", "#ÉRTÉK!", "#ZÉRÓOSZTÓ!", "#NÉV?", "#NULLA!", "#SZÁM!",
]  # fmt: skip
# LibreOffice numbers its errors, and Excel saves a column that is too narrow for its dates as "########".
_ERRORS += [*(f"Err:{number}" for number in range(501, 541)), *("#" * width for width in range(3, 256))]
SPREADSHEET_ERRORS = frozenset({UNCALCULATED, "#N/A N/A", *_ERRORS, *(error.lower() for error in _ERRORS)})

# What databases and programs write for a missing value. Names such as Nan and Nil aren't here.
NO_VALUES = frozenset({
    "NULL", "Null", "null", "<NULL>", "<null>", "(NULL)", "(null)", "[NULL]", "[null]", "NIL", "nil", "NaN", "NAN",
    "nan", "NaT", "None", "NONE", "none", "<NA>", "NA", "N/A", "n/a", "N/a", "n.a.", "N.A.", "N/D", "n/d", "s/d",
    "k.A.", "undefined", "Undefined", "UNDEFINED", "[object Object]", "(blank)", "(empty)", "(none)", "(not set)",
    "-", "--", "---", "–", "—", ".", "..", "...", "…", "?", "??", "???",
})  # fmt: skip


# The readers put this before a number that the file stores inexactly, such as a 32-bit float.
ROUNDED = "≈"
WHY_ROUNDED = "was stored with too few digits and is rounded; store the column as text and export it again"


def error_in_words(cell: str) -> str | None:
    """What is wrong with a cell that is an error value, to follow the column's name; None for another cell."""
    if cell not in SPREADSHEET_ERRORS:
        return None
    return "is a formula without a value" if cell == UNCALCULATED else f"has the error value {cell}"
