"""The options of the sandbox, declared once, in `SandboxOptions`.

`campaign sandbox` creates its flags from the fields. A child process gets the fields as JSON (`process.start`).
"""

import json
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

from runner.base.errors import InputError, Problem
from runner.base.net import is_http_url, is_loopback

# The path parameter's pattern in the provider's document.
SUB_ACCOUNT_ID = re.compile(r"[A-Za-z0-9\-._&]{3,50}")

LONGEST_LAG_S = 7 * 86_400

# A check for a value that isn't None, and what to do if it fails.
Rule = tuple[Callable[[Any], object], str]


def option(default: Any, words: str, rule: Rule | None = None, **flag: Any) -> Any:  # noqa: ANN401 (any field)
    """A field of `SandboxOptions`, with the help text of its flag and the rule for its value.

    `flag` has the exceptions. `flag` is the name of the flag, if it differs from the field's. If the flag's value
    differs from the field's, `kind` is its type, `flag_default` its default, and `read` converts it.
    """
    return field(default=default, metadata={"help": words, "rule": rule, **flag})


def flag_of(each: Field[Any]) -> str:
    return str(each.metadata.get("flag", f"--{each.name.replace('_', '-')}"))


def secret(what: str, words: str, rule: Rule, flag: str) -> Any:  # noqa: ANN401 (any field)
    """A field whose flag names an environment variable with the value, because all users can see command lines."""

    def from_environment(variable: str | None) -> str | None:
        if variable is not None and not os.environ.get(variable):
            raise InputError.of(
                f"the environment variable {variable} is not set", f"set it to the {what}, or leave out {flag}"
            )
        return os.environ[variable] if variable is not None else None

    how = {"help": words, "rule": rule, "flag": flag, "read": from_environment}
    return field(default=None, repr=False, metadata=how)


def pauses_of(text: str) -> tuple[float, ...]:
    """The seconds in "1,10,30,90"; none in an empty text. Raises `InputError`."""
    try:
        return tuple(float(each) for each in text.split(",")) if text.strip() else ()
    except ValueError:
        raise InputError.of(f"{text!r} is not a list of pauses", "give seconds, such as 1,10,30") from None


def number(least: float, most: float = math.inf) -> Rule:
    span = f"from {least} to {most}" if most < math.inf else f"of at least {least}"
    return lambda value: least <= value <= most and math.isfinite(value), f"give a number {span}"


PORT = number(0, 65_535)
SHARE = number(0, 1)
LAG_S = number(0, LONGEST_LAG_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """How the sandbox listens, answers, fails and posts. Raises `InputError` with all invalid options.

    None means no limit, or any value is accepted. Without `book`, the newest messages are kept in memory. The same
    `seed` always chooses the same messages for rejections, faults, receipts and replies. `receipt_retry_s` are the
    pauses before each retry of a post that failed.
    """

    port: int = option(0, "Port to listen on; 0 chooses a free one.", PORT, flag_default=8088)
    latency_s: float = option(
        0,
        "Time before each answer, in milliseconds.",
        number(0),
        flag="--latency-ms",
        flag_default=50,
        read=lambda latency_ms: latency_ms / 1000,
    )
    reject_share: float = option(0, "Share of messages to reject, 0 to 1.", SHARE)
    rate_limit: int | None = option(None, "Requests per second; more get a 429. Default: no limit.", number(1))
    book: Path | None = option(None, "Append every answered message to this file (JSON lines).")
    sub_account_id: str | None = option(
        None,
        "The only valid sub-account. Default: any.",
        (SUB_ACCOUNT_ID.fullmatch, "use 3 to 50 characters: A-Z a-z 0-9 - . _ &"),
        flag="--sub-account",
    )
    api_key: str | None = secret(
        "key",
        "Environment variable with the only valid API key. Default: any key.",
        (bool, "leave it out to accept any key"),
        "--api-key-env",
    )
    faults: Path | None = option(None, "Fault file with failures to simulate; see docs/reference/sandbox.md.")
    seed: int = option(0, "Seed for simulated rejections, failures, receipts and replies.")
    export_polls: int = option(2, "Status requests before a log export is ready.", number(0))
    export_lag_s: float = option(0, "Log exports leave out messages newer than this many seconds.", LAG_S)
    export_rows: int | None = option(None, "Messages per file of a log export. Default: all.", number(1))
    download_port: int | None = option(None, "Port for the files of log exports. Default: the main port.", PORT)
    balance: float = option(
        1000, "Balance of the prepaid account; may be negative.", (math.isfinite, "give an amount, such as 12.50")
    )
    post_paid: bool = option(False, "Simulate a post-paid account, which has no balance.")
    receipt_delay_s: float = option(
        0.2, "Average seconds between a message's receipts, which go to its dlrCallbackUrl.", LAG_S
    )
    undelivered_share: float = option(0, "Share of messages that are not delivered, 0 to 1.", SHARE)
    receipt_disorder: float = option(0, "Share of messages whose receipts arrive out of order, 0 to 1.", SHARE)
    receipt_duplicates: float = option(0, "Share of receipts that are sent twice, 0 to 1.", SHARE)
    stop_share: float = option(0, "Share of recipients who reply, mostly with STOP, 0 to 1.", SHARE)
    inbound_url: str | None = option(
        None,
        "URL for replies. Default: the message's dlrCallbackUrl.",
        (is_http_url, "use a full URL, such as http://127.0.0.1:8090/"),
    )
    receipt_authorization: str | None = secret(
        "Authorization header",
        'Environment variable with the Authorization header for receipts, such as "Bearer …".',
        (
            lambda header: header.isascii() and header.strip() and header.isprintable(),
            'give the whole header on one line, such as "Bearer …"',
        ),
        "--receipt-auth-header-env",
    )
    receipt_retry_s: tuple[float, ...] = option(
        (1, 10, 30, 90),
        "Seconds to wait before each retry of a receipt.",
        (lambda pauses_s: all(map(LAG_S[0], pauses_s)), "give seconds, such as 1,10,30,90"),
        kind=str,
        flag_default="1,10,30,90",
        read=pauses_of,
    )
    receipts_beyond_loopback: bool = option(False, "Also send receipts to other computers.")
    tls_certificate: Path | None = option(None, "Use TLS with this certificate (PEM).", flag="--tls-cert")
    tls_key: Path | None = option(None, "Private key of the certificate (PEM).")

    def __post_init__(self) -> None:
        problems = []
        for each in fields(self):
            value, rule = getattr(self, each.name), each.metadata["rule"]
            if rule and value is not None and not rule[0](value):
                # The value isn't shown, because it may be a secret.
                problems.append(Problem(f"{flag_of(each)} is not valid", rule[1]))
        if (self.tls_certificate is None) != (self.tls_key is None):
            problems.append(Problem("TLS needs a certificate and its key", "give both --tls-cert and --tls-key"))
        url = self.inbound_url
        stays_here = self.receipts_beyond_loopback or url is None or not is_http_url(url)
        if not stays_here and not is_loopback(urlsplit(str(url)).hostname):
            remedy = "use 127.0.0.1, or add --receipts-beyond-loopback"
            problems.append(Problem(f"--inbound-url {url!r} is on another computer", remedy))
        if problems:
            raise InputError(problems)

    def as_json(self) -> str:
        """The options on one line, for `from_json`."""
        return json.dumps({each.name: getattr(self, each.name) for each in fields(self)}, default=str)

    @classmethod
    def from_json(cls, line: str | bytes) -> "SandboxOptions":
        """The options that `as_json` wrote. Raises ValueError or TypeError for anything else."""
        given = json.loads(line)
        for each in fields(cls):
            # Types that JSON doesn't have.
            if isinstance(given.get(each.name), str) and Path in get_args(each.type):
                given[each.name] = Path(given[each.name])
            elif isinstance(given.get(each.name), list):
                given[each.name] = tuple(given[each.name])
        return cls(**given)

    @classmethod
    def from_flags(cls, given: Mapping[str, Any]) -> "SandboxOptions":
        """The options of a command line: the values of the flags, by field name."""
        reading = {each.name: each.metadata.get("read") for each in fields(cls)}
        return cls(**{name: read(given[name]) if read else given[name] for name, read in reading.items()})
