"""The account that a run sends with: the provider's, or a new sandbox."""

import contextlib
import ctypes
import os
import secrets
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from runner.base.errors import InputError
from runner.campaign import AccountSection
from runner.provider.endpoint import Endpoint, is_local, resolve
from runner.sandbox.options import SandboxOptions
from runner.sandbox.process import start

API_KEY_VARIABLE = "EIGHTXEIGHT_API_KEY"
BASE_URL_VARIABLE = "EIGHTXEIGHT_BASE_URL"

# From <linux/prctl.h>.
_PR_SET_DUMPABLE = 4


@dataclass(frozen=True, slots=True)
class ProviderAccount:
    """The endpoint and its API key.

    `receipts_url` is where a sandbox posts receipts, instead of the campaign's URL; None: the campaign's URL is used.
    """

    endpoint: Endpoint
    api_key: str = field(repr=False)
    receipts_url: str | None = None

    @property
    def stand_in(self) -> str | None:
        """The URL of a server on this computer that stands in for the provider, except the sandbox of `--sandbox`."""
        url = self.endpoint.base_url
        return url if is_local(url) and not self.endpoint.is_direct else None


def provider_account(section: AccountSection) -> ProviderAccount:
    """The provider's account, with the API key from the environment.

    Raises InputError if there is no key, if the base URL isn't safe, or if the proxy address is invalid.
    """
    endpoint = resolve(section.region, section.sub_account_id, os.environ.get(BASE_URL_VARIABLE))
    api_key = os.environ.get(API_KEY_VARIABLE, "").strip()
    if not api_key:
        raise InputError.of(
            f"no API key: {API_KEY_VARIABLE} is not set",
            f"create a key in the provider's portal and run `export {API_KEY_VARIABLE}=…`, or add --sandbox to try "
            "without an account",
        )
    endpoint.proxy()  # report an invalid proxy address before anything starts
    _keep_out_of_core_dumps()
    return ProviderAccount(endpoint, api_key)


def _keep_out_of_core_dumps() -> None:
    """Ask Linux for no core dump of this process, because it would have the API key.

    Other processes of the same user can't read its memory either.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # a C library without it
            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


@contextlib.contextmanager
def account_for(
    section: AccountSection, *, sandbox: bool, book: Path | None = None, receipts: str | None = None
) -> Iterator[ProviderAccount]:
    """The campaign's account, or a sandbox that runs until the block ends.

    `book` is the file in which the sandbox logs the messages it received, or None. `receipts` is the URL of a ledger
    that gets the sandbox's receipts and replies, or None. The ledger has all of them when the block has ended.
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
            latency_s=0.05,  # about as long as the provider takes
            book=book,
            receipt_authorization=authorization,
            undelivered_share=0.05,  # typical for a good list, as is the share of STOP replies below
            stop_share=0.02,
        )
        process = stack.enter_context(start(options))
        yield ProviderAccount(Endpoint(process.base_url, section.sub_account_id, is_direct=True), api_key, receipts_url)
