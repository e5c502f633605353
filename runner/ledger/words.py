"""The provider's words for an accepted message, alike for each: a fifth of the ledger, if written out."""

from typing import Any

from sqlalchemy import ColumnElement, String, case, literal_column
from sqlalchemy.types import TypeDecorator

_USUAL = "SMS is accepted and queued for processing"
_SHORT = "\x01"
"""Stands for `_USUAL`: a control character, which no words for people are."""


def shortened(words: str | None) -> str | None:
    """Words as they stand in the ledger."""
    return _SHORT if words == _USUAL else words


class Words(TypeDecorator[str]):
    """A column of the provider's words."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:  # noqa: ANN401, ARG002 (SQLAlchemy's)
        return shortened(value)

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """The database writes them out, also for those who take the driver's own rows."""
        return case((column == literal_column(f"char({ord(_SHORT)})"), literal_column(f"'{_USUAL}'")), else_=column)
