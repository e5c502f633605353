"""The options of the sandbox. `SandboxOptions` is their only declaration.

`campaign sandbox` makes its flags from the fields, and the child process gets the fields as JSON (`process.start`).
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

# What must hold for a value that isn't None, and what to do otherwise.
Rule = tuple[Callable[[Any], object], str]


def option(default: Any, words: str, rule: Rule | None = None, **flag: Any) -> Any:  # noqa: ANN401 (any field)
    """A field of `SandboxOptions`, with the help of its flag and the rule for its value.

    `flag` has what isn't as usual: the `flag` itself, where it hasn't the field's name; and where it takes something
    else than the field's value, its type (`kind`), its default (`flag_default`) and how to `read` the value from it.
    """
    return field(default=default, metadata={"help": words, "rule": rule, **flag})


def flag_of(each: Field[Any]) -> str:
    return str(each.metadata.get("flag", f"--{each.name.replace('_', '-')}"))


def secret(what: str, words: str, rule: Rule, flag: str) -> Any:  # noqa: ANN401 (any field)
    """A field whose flag names the environment variable that holds the value: every user may read command lines."""

    def from_environment(variable: str | None) -> str | None:
        if variable is not None and not os.environ.get(variable):
            raise InputError.of(f"the environment variable {variable} holds no {what}", f"set it, or leave {flag} out")
        return os.environ[variable] if variable is not None else None

    how = {"help": words, "rule": rule, "flag": flag, "read": from_environment}
    return field(default=None, repr=False, metadata=how)


def pauses_of(text: str) -> tuple[float, ...]:
    """The seconds in "1,10,30,90"; none in an empty text. Raises `InputError`."""
    try:
        return tuple(float(each) for each in text.split(",")) if text.strip() else ()
    except ValueError:
        raise InputError.of(f"{text!r} are not pauses before another try", "write seconds, such as 1,10,30") from None


def number(least: float, most: float = math.inf) -> Rule:
    span = f"from {least} to {most}" if most < math.inf else f"from {least} up"
    return lambda value: least <= value <= most and math.isfinite(value), f"give a number {span}"


PORT = number(0, 65_535)
SHARE = number(0, 1)
LAG_S = number(0, LONGEST_LAG_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """How the sandbox listens, answers, fails and posts. Raises `InputError` with every option that makes no sense.

    With None, everything is allowed or nothing is limited. Without `book`, the newest messages are in memory. The same
    `seed` chooses the same messages for rejections, faults, receipts and replies each time. `receipt_retry_s` are the
    pauses before each other try of a post that failed.
    """

    port: int = option(0, "The port; 0 takes a free one.", PORT, flag_default=8088)
    latency_s: float = option(
        0,
        "How long each answer takes, in milliseconds.",
        number(0),
        flag="--latency-ms",
        flag_default=50,
        read=lambda latency_ms: latency_ms / 1000,
    )
    reject_share: float = option(0, "The share of messages that is answered REJECTED, 0 to 1.", SHARE)
    rate_limit: int | None = option(None, "Requests per second, 429 beyond. Default: none.", number(1))
    book: Path | None = option(None, "Append every answered message to this file (JSON lines).")
    sub_account_id: str | None = option(
        None,
        "The one sub-account that exists. Default: any.",
        (SUB_ACCOUNT_ID.fullmatch, "write 3 to 50 of A-Z a-z 0-9 - . _ &"),
        flag="--sub-account",
    )
    api_key: str | None = secret(
        "key",
        "The environment variable with the one valid key. Default: any key.",
        (bool, "leave it out to accept any"),
        "--api-key-env",
    )
    faults: Path | None = option(None, "What shall go wrong: a fault file, see docs/reference/sandbox.md.")
    seed: int = option(0, "Another seed, other victims of rejections and faults.")
    export_polls: int = option(2, "How often to ask for a log export before it is ready.", number(0))
    export_lag_s: float = option(0, "Messages younger than this are in no log export yet.", LAG_S)
    export_rows: int | None = option(None, "Messages in a file of an export. Default: all.", number(1))
    download_port: int | None = option(None, "Serve the exports' files on this port. Default: the same.", PORT)
    balance: float = option(
        1000, "What the prepaid account has; may be below zero.", (math.isfinite, "give an amount, such as 12.50")
    )
    post_paid: bool = option(False, "The account is not prepaid: it has no balance.")
    receipt_delay_s: float = option(
        0.2, "Seconds between the receipts of a message, about. They go to its dlrCallbackUrl.", LAG_S
    )
    undelivered_share: float = option(0, "The share of messages that reach no phone, 0 to 1.", SHARE)
    receipt_disorder: float = option(0, "The share of messages whose receipts come in another order, 0 to 1.", SHARE)
    receipt_duplicates: float = option(0, "The share of receipts that come twice, 0 to 1.", SHARE)
    stop_share: float = option(0, "The share of recipients who reply, most of them STOP, 0 to 1.", SHARE)
    inbound_url: str | None = option(
        None,
        "Where replies go. Default: the message's dlrCallbackUrl.",
        (is_http_url, "write it in full, such as http://127.0.0.1:8090/"),
    )
    receipt_authorization: str | None = secret(
        "Authorization header",
        "The environment variable with the receipts' whole Authorization header.",
        (
            lambda header: header.isascii() and header.strip() and header.isprintable(),
            'give the whole header in one line, such as "Bearer …"',
        ),
        "--receipt-auth-header-env",
    )
    receipt_retry_s: tuple[float, ...] = option(
        (1, 10, 30, 90),
        "Seconds before each other try of a receipt that was not taken.",
        (lambda pauses_s: all(map(LAG_S[0], pauses_s)), "give seconds from 0 up, such as 1,10,30,90"),
        kind=str,
        flag_default="1,10,30,90",
        read=pauses_of,
    )
    receipts_beyond_loopback: bool = option(False, "Send receipts to other computers too.")
    tls_certificate: Path | None = option(None, "Serve TLS with this certificate (PEM).", flag="--tls-cert")
    tls_key: Path | None = option(None, "The certificate's private key (PEM).")

    def __post_init__(self) -> None:
        problems = []
        for each in fields(self):
            value, rule = getattr(self, each.name), each.metadata["rule"]
            if rule and value is not None and not rule[0](value):
                # Without the value: it may be a secret.
                problems.append(Problem(f"{flag_of(each)} is not valid", rule[1]))
        if (self.tls_certificate is None) != (self.tls_key is None):
            problems.append(Problem("TLS needs a certificate and its key", "give both or neither"))
        url = self.inbound_url
        stays_here = self.receipts_beyond_loopback or url is None or not is_http_url(url)
        if not stays_here and not is_loopback(urlsplit(str(url)).hostname):
            remedy = "name 127.0.0.1, or add --receipts-beyond-loopback"
            problems.append(Problem(f"{url!r} is beyond this computer, and no reply goes there", remedy))
        if problems:
            raise InputError(problems)

    def as_json(self) -> str:
        """One line, for `from_json`."""
        return json.dumps({each.name: getattr(self, each.name) for each in fields(self)}, default=str)

    @classmethod
    def from_json(cls, line: str | bytes) -> "SandboxOptions":
        """The options that `as_json` wrote. Raises ValueError or TypeError for anything else."""
        given = json.loads(line)
        for each in fields(cls):
            # What JSON has no kind for.
            if isinstance(given.get(each.name), str) and Path in get_args(each.type):
                given[each.name] = Path(given[each.name])
            elif isinstance(given.get(each.name), list):
                given[each.name] = tuple(given[each.name])
        return cls(**given)

    @classmethod
    def from_flags(cls, given: Mapping[str, Any]) -> "SandboxOptions":
        """The options of a command line: what each flag was given, by the field's name."""
        reading = {each.name: each.metadata.get("read") for each in fields(cls)}
        return cls(**{name: read(given[name]) if read else given[name] for name, read in reading.items()})
