"""The options of the sandbox. `SandboxOptions` is their only declaration.

`campaign sandbox` makes its flags from the fields, and the child process gets the fields as JSON (`process.start`).
"""

import json
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints
from urllib.parse import urlsplit

from runner.errors import InputError, Problem
from runner.net import is_http_url, is_loopback

# The path parameter's pattern in the provider's document.
SUB_ACCOUNT_ID = re.compile(r"[A-Za-z0-9\-._&]{3,50}")

LONGEST_LAG_S = 7 * 86_400


@dataclass(frozen=True, slots=True)
class Option:
    """How a field of `SandboxOptions` is given on the command line.

    The flag is `flag`, or else has the field's name. The last three are for a flag that takes something else than the
    field's value: its type, its default, and how the value is read from it.
    """

    help: str
    flag: str = ""
    kind: Any = None
    default: Any = None
    read: Callable[[Any], Any] = lambda value: value


@dataclass(frozen=True, slots=True)
class Rule:
    """What must hold for a field's value, unless that is None. In `wrong`, "{}" stands for the value."""

    holds: Callable[[Any], object]
    wrong: str
    remedy: str


def pauses_of(text: str) -> tuple[float, ...]:
    """The seconds in "1,10,30,90"; none in an empty text. Raises `InputError`."""
    try:
        return tuple(float(each) for each in text.split(",")) if text.strip() else ()
    except ValueError:
        raise InputError.of(f"{text!r} are not pauses before another try", "write seconds, such as 1,10,30") from None


def _secret(flag: str, what: str, words: str) -> Option:
    """The flag names the environment variable that holds the value: every user may read command lines."""

    def from_environment(variable: str | None) -> str | None:
        if variable is not None and not os.environ.get(variable):
            raise InputError.of(f"the environment variable {variable} holds no {what}", f"set it, or leave {flag} out")
        return os.environ[variable] if variable is not None else None

    return Option(words, flag, read=from_environment)


def _share(of_what: str) -> Rule:
    wrong = f"a share of {of_what} of {{}} makes no sense"
    return Rule(lambda share: 0 <= share <= 1, wrong, "give a number from 0 to 1")


def _seconds(wrong: str) -> Rule:
    return Rule(lambda seconds: 0 <= seconds <= LONGEST_LAG_S, wrong, f"give a number from 0 to {LONGEST_LAG_S}")


PORT = Rule(lambda port: 0 <= port <= 65535, "port {} does not exist", "choose 1 to 65535, or 0 for any free one")


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """How the sandbox listens, answers, fails and posts. Raises `InputError` with every option that makes no sense.

    With None, everything is allowed or nothing is limited. `book` None keeps the newest messages in memory. The same
    `seed` chooses the same messages for rejections, faults, receipts and replies each time. `receipt_retry_s` are the
    pauses before each other try of a post that failed.
    """

    port: Annotated[int, Option("The port; 0 takes a free one.", default=8088), PORT] = 0
    latency_s: Annotated[
        float,
        Option("How long each answer takes, in milliseconds.", "--latency-ms", default=50, read=lambda ms: ms / 1000),
        Rule(
            lambda latency_s: latency_s >= 0 and math.isfinite(latency_s),
            "a latency of {} s cannot be waited",
            "give a number from 0 up",
        ),
    ] = 0
    reject_share: Annotated[
        float, Option("The share of messages that is answered REJECTED, 0 to 1."), _share("rejections")
    ] = 0
    rate_limit: Annotated[
        int | None,
        Option("Requests per second, 429 beyond. Default: none."),
        Rule(lambda limit: limit >= 1, "a rate limit of {} would answer nothing", "give at least 1 per second"),
    ] = None
    book: Annotated[Path | None, Option("Append every answered message to this file (JSON lines).")] = None
    sub_account_id: Annotated[
        str | None,
        Option("The one sub-account that exists. Default: any.", "--sub-account"),
        Rule(SUB_ACCOUNT_ID.fullmatch, "{!r} cannot be a sub-account id", "write 3 to 50 of A-Z a-z 0-9 - . _ &"),
    ] = None
    api_key: Annotated[
        str | None,
        _secret("--api-key-env", "key", "The environment variable with the one valid key. Default: any key."),
        Rule(lambda key: key != "", "the sandbox's API key is empty", "leave it out to accept any"),
    ] = field(default=None, repr=False)
    faults: Annotated[Path | None, Option("What shall go wrong: a fault file, see docs/sandbox.md.")] = None
    seed: Annotated[int, Option("Another seed, other victims of rejections and faults.")] = 0
    export_polls: Annotated[
        int,
        Option("How often to ask for a log export before it is ready."),
        Rule(lambda polls: polls >= 0, "an export after {} polls makes no sense", "give a number from 0 up"),
    ] = 2
    export_lag_s: Annotated[
        float,
        Option("Messages younger than this are in no log export yet."),
        _seconds("an export lag of {} s makes no sense"),
    ] = 0
    export_rows: Annotated[
        int | None,
        Option("Messages in a file of an export. Default: all."),
        Rule(lambda rows: rows >= 1, "{} messages in a file are none", "give at least 1"),
    ] = None
    download_port: Annotated[int | None, Option("Serve the exports' files on this port. Default: the same."), PORT] = (
        None
    )
    balance: Annotated[
        float,
        Option("What the prepaid account has; may be below zero."),
        Rule(math.isfinite, "a balance of {} makes no sense", "give an amount, such as 12.50"),
    ] = 1000
    post_paid: Annotated[bool, Option("The account is not prepaid: it has no balance.")] = False
    receipt_delay_s: Annotated[
        float,
        Option("Seconds between the receipts of a message, about. They go to its dlrCallbackUrl."),
        _seconds("a delay of {} s between receipts makes no sense"),
    ] = 0.2
    undelivered_share: Annotated[
        float, Option("The share of messages that reach no phone, 0 to 1."), _share("undelivered messages")
    ] = 0
    receipt_disorder: Annotated[
        float,
        Option("The share of messages whose receipts come in another order, 0 to 1."),
        _share("receipts in disorder"),
    ] = 0
    receipt_duplicates: Annotated[
        float, Option("The share of receipts that come twice, 0 to 1."), _share("receipts that come twice")
    ] = 0
    stop_share: Annotated[
        float, Option("The share of recipients who reply, most of them STOP, 0 to 1."), _share("recipients who reply")
    ] = 0
    inbound_url: Annotated[
        str | None,
        Option("Where replies go. Default: the message's dlrCallbackUrl."),
        Rule(
            is_http_url,
            "{!r} is no URL that replies can be posted to",
            "write it in full, such as http://127.0.0.1:8090/",
        ),
    ] = None
    receipt_authorization: Annotated[
        str | None,
        _secret(
            "--receipt-auth-header-env",
            "Authorization header",
            "The environment variable with the receipts' whole Authorization header.",
        ),
        Rule(
            lambda header: header.isascii() and header.strip() and header.isprintable(),
            "the Authorization header of the receipts is empty, or has characters that no header can have",
            'give the whole header, such as "Bearer …"',
        ),
    ] = field(default=None, repr=False)
    receipt_retry_s: Annotated[
        tuple[float, ...],
        Option(
            "Seconds before each other try of a receipt that was not taken.",
            kind=str,
            default="1,10,30,90",
            read=pauses_of,
        ),
        Rule(
            lambda pauses_s: all(0 <= pause_s <= LONGEST_LAG_S for pause_s in pauses_s),
            "the pauses before another try of a receipt make no sense",
            "give seconds from 0 up, such as 1,10,30,90",
        ),
    ] = (1, 10, 30, 90)
    receipts_beyond_loopback: Annotated[bool, Option("Send receipts to other computers too.")] = False
    tls_certificate: Annotated[Path | None, Option("Serve TLS with this certificate (PEM).", "--tls-cert")] = None
    tls_key: Annotated[Path | None, Option("The certificate's private key (PEM).")] = None

    def __post_init__(self) -> None:
        problems = [
            Problem(rule.wrong.format(value), rule.remedy)
            for name, (_, _, *rules) in declared_options().items()
            if (value := getattr(self, name)) is not None
            for rule in rules
            if not rule.holds(value)
        ]
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
        for name, (kind, *_) in declared_options().items():
            # What JSON has no kind for.
            if isinstance(given.get(name), str) and Path in get_args(kind):
                given[name] = Path(given[name])
            elif isinstance(given.get(name), list):
                given[name] = tuple(given[name])
        return cls(**given)

    @classmethod
    def from_flags(cls, given: Mapping[str, Any]) -> "SandboxOptions":
        """The options of a command line: what each flag was given, by the field's name."""
        return cls(**{name: option.read(given[name]) for name, (_, option, *_) in declared_options().items()})


@cache
def declared_options() -> dict[str, tuple[Any, ...]]:
    """The type, the `Option` and the rules of every field of `SandboxOptions`, by its name."""
    hints = get_type_hints(SandboxOptions, include_extras=True)
    return {name: (hint.__origin__, *hint.__metadata__) for name, hint in hints.items()}
