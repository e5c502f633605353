"""What everybody must be told who sees a run that was not sent to the provider."""

import os

from runner.provider.endpoint import is_local
from runner.run.paths import SANDBOX_RUN

SANDBOX = "SANDBOX: a simulation; nothing reaches a phone"


def notice_of(run: str, sent_to: str | None) -> str:
    """The notice for a run: a keyword, a colon, and words; "" if it was sent to the provider.

    `sent_to` is the URL of a server on this computer that stood in for the provider, or None.
    """
    if run == SANDBOX_RUN:
        return SANDBOX
    return f"NOT 8x8: messages go to {sent_to}" if sent_to else ""


def notice_here(*, sandbox: bool) -> str:
    """The notice for what this process sends, with or without --sandbox."""
    from runner.run.account import BASE_URL_VARIABLE  # with the sandbox, which `campaign status` doesn't need

    url = os.environ.get(BASE_URL_VARIABLE)
    return notice_of(SANDBOX_RUN if sandbox else "", url if url and is_local(url) else None)
