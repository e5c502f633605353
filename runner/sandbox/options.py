"""What the stand-in is asked to be."""

import math
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from runner.errors import InputError, Problem
from runner.net import is_http_url, is_loopback

# The path parameter's pattern in the provider's document.
SUB_ACCOUNT_ID = re.compile(r"[A-Za-z0-9\-._&]{3,50}")

LONGEST_LAG_S = 7 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """How the sandbox listens and answers. Raises `InputError` with every option that makes no sense.

    `port` 0 takes any free one. `api_key` None accepts any key that isn't empty, `sub_account_id` None any that is well
    formed. `latency_s` is waited before each answer. `reject_share` (0 to 1) of the messages are answered REJECTED, the
    same ones each time for the same `seed`. `rate_limit` is in requests per second, None for no limit. `book` is the
    file that accepted requests are appended to; None keeps the newest ones in memory. With a certificate and its key
    (PEM files) it serves TLS.

    `faults` is the file of what shall go wrong (see `fault_file`). An export takes `export_polls` questions before it
    ends, lacks messages that are younger than `export_lag_s`, and has files of `export_rows` messages (None: one file).
    `download_port` serves the download links on a port, and so an origin, of their own.

    `balance` is what the account has, always; with `post_paid` it pays afterwards, and so has none.

    The other side: each message with a `dlrCallbackUrl` gets its receipts there, about `receipt_delay_s` between two
    states; `undelivered_share` of the messages don't arrive. Of `receipt_disorder` of the messages the receipts come in
    another order, and `receipt_duplicates` of the receipts come twice. `stop_share` of the recipients write back, to
    `inbound_url` (None: the message's `dlrCallbackUrl`). All shares are from 0 to 1. A post that fails is tried again
    after each of `receipt_retry_s`. `receipt_authorization` is the Authorization header of them all, None for none.
    They go to this computer alone unless `receipts_beyond_loopback`.
    """

    host: str = "127.0.0.1"
    port: int = 0
    api_key: str | None = field(default=None, repr=False)
    sub_account_id: str | None = None
    latency_s: float = 0.0
    reject_share: float = 0.0
    rate_limit: int | None = None
    book: Path | None = None
    seed: int = 0
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    faults: Path | None = None
    export_polls: int = 2
    export_lag_s: float = 0.0
    export_rows: int | None = None
    download_port: int | None = None
    balance: float = 1000.0
    post_paid: bool = False
    receipt_delay_s: float = 0.2
    undelivered_share: float = 0.0
    receipt_disorder: float = 0.0
    receipt_duplicates: float = 0.0
    stop_share: float = 0.0
    inbound_url: str | None = None
    receipt_authorization: str | None = field(default=None, repr=False)
    receipt_retry_s: tuple[float, ...] = (1.0, 10.0, 30.0, 90.0)
    receipts_beyond_loopback: bool = False

    def __post_init__(self) -> None:
        limit, account = self.rate_limit, self.sub_account_id
        shares = {
            "rejections": self.reject_share,
            "undelivered messages": self.undelivered_share,
            "receipts in disorder": self.receipt_disorder,
            "receipts that come twice": self.receipt_duplicates,
            "recipients who reply": self.stop_share,
        }
        rules = [
            *(
                (0 <= port <= 65535, f"port {port} does not exist", "choose 1 to 65535, or 0 for any free one")
                for port in (self.port, self.download_port or 0)
            ),
            (self.api_key != "", "the sandbox's API key is empty", "leave it out to accept any"),
            (
                account is None or SUB_ACCOUNT_ID.fullmatch(account),
                f"{account!r} cannot be a sub-account id",
                "write 3 to 50 of A-Z a-z 0-9 - . _ &",
            ),
            (
                self.latency_s >= 0 and math.isfinite(self.latency_s),
                f"a latency of {self.latency_s} s cannot be waited",
                "give a number from 0 up",
            ),
            *(
                (0 <= share <= 1, f"a share of {of_what} of {share} makes no sense", "give a number from 0 to 1")
                for of_what, share in shares.items()
            ),
            (
                limit is None or limit >= 1,
                f"a rate limit of {limit} would answer nothing",
                "give at least 1 per second",
            ),
            (
                self.export_polls >= 0,
                f"an export after {self.export_polls} polls makes no sense",
                "give a number from 0 up",
            ),
            (
                0 <= self.export_lag_s <= LONGEST_LAG_S,
                f"an export lag of {self.export_lag_s} s makes no sense",
                f"give a number from 0 to {LONGEST_LAG_S}",
            ),
            (
                self.export_rows is None or self.export_rows >= 1,
                f"{self.export_rows} messages in a file are none",
                "give at least 1",
            ),
            (
                math.isfinite(self.balance),
                f"a balance of {self.balance} makes no sense",
                "give an amount, such as 12.50",
            ),
            (
                (self.tls_certificate is None) == (self.tls_key is None),
                "TLS needs a certificate and its key",
                "give both or neither",
            ),
            *self._rules_of_receipts(),
        ]
        problems = [Problem(what, remedy) for holds, what, remedy in rules if not holds]
        if problems:
            raise InputError(problems)

    def _rules_of_receipts(self) -> list[tuple[object, str, str]]:
        url, authorization = self.inbound_url, self.receipt_authorization
        return [
            (
                0 <= self.receipt_delay_s <= LONGEST_LAG_S,
                f"a delay of {self.receipt_delay_s} s between receipts makes no sense",
                f"give a number from 0 to {LONGEST_LAG_S}",
            ),
            (
                all(0 <= pause_s <= LONGEST_LAG_S for pause_s in self.receipt_retry_s),
                "the pauses before another try of a receipt make no sense",
                "give seconds from 0 up, such as 1,10,30,90",
            ),
            (
                authorization is None
                or (authorization.isascii() and authorization.strip() and authorization.isprintable()),
                "the Authorization header of the receipts is empty, or has characters that no header can have",
                'give the whole header, such as "Bearer …"',
            ),
            (
                url is None or is_http_url(url),
                f"{url!r} is no URL that replies can be posted to",
                "write it in full, such as http://127.0.0.1:8090/",
            ),
            (
                url is None
                or self.receipts_beyond_loopback
                or not is_http_url(url)
                or is_loopback(urlsplit(url).hostname),
                f"{url!r} is beyond this computer, and no reply goes there",
                "name 127.0.0.1, or add --receipts-beyond-loopback",
            ),
        ]


def key_from_environment(variable: str | None) -> str | None:
    return _from_environment(variable, "key", "--api-key-env")


def authorization_from_environment(variable: str | None) -> str | None:
    return _from_environment(variable, "Authorization header", "--receipt-auth-header-env")


def pauses_of(text: str) -> tuple[float, ...]:
    """The seconds in "1,10,30,90"; none in an empty text."""
    try:
        return tuple(float(each) for each in text.split(",")) if text.strip() else ()
    except ValueError:
        raise InputError.of(f"{text!r} are not pauses before another try", "write seconds, such as 1,10,30") from None


def _from_environment(variable: str | None, what: str, option: str) -> str | None:
    if variable is None:
        return None
    if not os.environ.get(variable):
        raise InputError.of(f"the environment variable {variable} holds no {what}", f"set it, or leave {option} out")
    return os.environ[variable]
