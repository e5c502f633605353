"""`campaign schema`: the JSON Schema of the campaign file, for editors."""

import sys

NAME = "schema"


def command() -> None:
    """Print the JSON Schema of the campaign file."""
    from runner.campaign.schema import schema_text

    sys.stdout.write(schema_text())
