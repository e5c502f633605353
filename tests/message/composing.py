"""Composing one row of columns, as a plan does for each row of a file."""

from collections.abc import Mapping

from runner.base.exclusions import Exclusion
from runner.base.messages import Text
from runner.message.compose import Composer


def composed_row(composer: Composer, fields: Mapping[str, str]) -> Text | Exclusion:
    """The text for the row's fields, by column. Raises InputError when the template calls for another column."""
    columns = composer.columns(list(fields))
    return composer.compose({name: fields[column] for name, column in columns.items()}, columns)
