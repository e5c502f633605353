"""Where a run sends to, and with which key: the provider, or a new sandbox."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from runner.base.errors import InputError
from runner.campaign import AccountSection
from runner.provider.endpoint import Endpoint, resolve
from runner.sandbox.options import SandboxOptions
from runner.sandbox.process import start

API_KEY_VARIABLE = "EIGHTXEIGHT_API_KEY"
BASE_URL_VARIABLE = "EIGHTXEIGHT_BASE_URL"


@dataclass(frozen=True, slots=True)
class ProviderAccount:
    """Where to send, and the key to it.

    `receipts_url` is where a sandbox posts its receipts, in the place of the campaign's URL; None: nowhere else.
    """

    endpoint: Endpoint
    api_key: str = field(repr=False)
    receipts_url: str | None = None


def provider_account(section: AccountSection) -> ProviderAccount:
    """An account of the provider's, with the key from the environment.

    Raises InputError when there is no key, for a base URL that isn't safe, and for a proxy that can't be used.
    """
    endpoint = resolve(section.region, section.sub_account_id, os.environ.get(BASE_URL_VARIABLE))
    api_key = os.environ.get(API_KEY_VARIABLE, "").strip()
    if not api_key:
        raise InputError.of(
            f"there is no API key: {API_KEY_VARIABLE} is not set",
            f"get a key from the provider's portal and `export {API_KEY_VARIABLE}=…`; or try without an account: add "
            "--sandbox",
        )
    endpoint.proxy()  # an address that can't be read is said before anything begins
    return ProviderAccount(endpoint, api_key)


@contextlib.contextmanager
def account_for(
    section: AccountSection, *, sandbox: bool, book: Path | None = None, receipts: str | None = None
) -> Iterator[ProviderAccount]:
    """The account that a campaign names; or a sandbox that stands in for it and lives as long as the block.

    `book` is the file in which that sandbox notes what it received; None: nowhere. With `receipts`, a ledger's URL, it
    also plays the other side: its receipts and replies are taken into that ledger. All of them are there when the block
    has ended.
    """
    if not sandbox:
        yield provider_account(section)
        return
    api_key, authorization = secrets.token_urlsafe(), f"Bearer {secrets.token_urlsafe()}"
    with contextlib.ExitStack() as stack:
        receipts_url: str | None = None
        if receipts is not None:
            from runner.receipts.server import receiving

            receipts_url = stack.enter_context(receiving(receipts, authorization=authorization))
        options = SandboxOptions(
            api_key=api_key,
            sub_account_id=section.sub_account_id,
            latency_s=0.05,  # about what the provider takes
            book=book,
            receipt_authorization=authorization,
            undelivered_share=0.05,  # a good list has about as many, and as many who reply STOP
            stop_share=0.02,
        )
        process = stack.enter_context(start(options))
        yield ProviderAccount(Endpoint(process.base_url, section.sub_account_id, is_direct=True), api_key, receipts_url)
