"""The section `receipts` of a campaign: how delivery receipts and replies come back."""

from typing import Annotated, Final

from pydantic import Field

from runner.campaign import values
from runner.campaign.fields import Port, parsed, schema
from runner.campaign.section import Section

DEFAULT_PORT: Final = 8090


class Receipts(Section):
    """How delivery receipts come back; `campaign receipts` takes them."""

    url: Annotated[str, parsed(values.web_address), schema(pattern="^https?://")] | None = Field(
        default=None,
        description="The public address of `campaign receipts`, which goes along with each message as its "
        "dlrCallbackUrl. Absent: the webhook that the account has.",
        examples=["https://example.com/receipts"],
    )
    port: Port = Field(
        default=DEFAULT_PORT, description="The port on which `campaign receipts` listens here.", examples=[8090]
    )
    auth_header_env: Annotated[str, parsed(values.variable), schema(pattern=values.VARIABLE_PATTERN)] | None = Field(
        default=None,
        description="The environment variable that holds the Authorization header with which the provider posts.",
        examples=["RECEIPTS_AUTHORIZATION"],
    )
