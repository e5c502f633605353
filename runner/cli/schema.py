"""`campaign schema`: the JSON Schema of the campaign file, for editors."""

from runner.cli.console import print_document


def command() -> None:
    """Print the JSON Schema of the campaign file, for editors."""
    from runner.campaign.json_schema import schema_text

    print_document(schema_text())
