"""The exceptions, and the record that describes a problem in the user's input.

Exceptions stop a run. A problem with a single recipient is a value instead (an `Exclusion` or an `Outcome`).

    CampaignError                   the base of all expected errors; any other exception is a bug (exit 70)
    ├── InputError              2   the campaign, template, recipients or options are wrong; nothing was sent
    ├── StoppedError            3   stopped early; the same command may succeed later
    │   ├── LedgerError         3   the ledger can't be read or written now, for example because it is locked
    │   └── BlockedError        5   stopped, and a person must fix something first
    │       └── BrokenLedgerError 5 also a LedgerError: the ledger is damaged, read-only or on a full disk
    └── RunLockedError          4   another process is sending the same run

The number is the exit code of the command.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a file, as editors count: the first character is line 1, column 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem in the user's input, and what to do about it.

    `path` is the key in the campaign file (`recipients.phone`), or empty. `what` and `remedy` are lower-case clauses
    without a full stop, because `str()` joins them into one line.
    """

    what: str
    remedy: str = ""
    path: str = ""
    where: Position | None = None

    def __str__(self) -> str:
        words = f"{self.what}; {self.remedy}" if self.remedy else self.what
        return ": ".join(str(part) for part in (self.where, self.path, words) if part)


def is_panic(error: BaseException | None) -> bool:
    """Whether the exception is a panic in a library's Rust code. Its class can't be imported, and is no `Exception`."""
    return type(error).__name__ == "PanicException"


class CampaignError(Exception):
    """The base of all expected errors. `exit_code` is the exit code of the command."""

    exit_code: ClassVar[int] = 70


class InputError(CampaignError):
    """The user's input is wrong. Contains all problems that were found, so that the user can fix them together."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: Sequence[Problem] = list(problems)
        super().__init__("\n".join(map(str, self.problems)))

    def __reduce__(self) -> tuple[type["InputError"], tuple[Sequence[Problem]]]:
        """A planning process raises the error, and another prints it."""
        return InputError, (self.problems,)

    @classmethod
    def of(cls, what: str, remedy: str = "") -> "InputError":
        """An error with one problem that isn't in a file, such as a wrong option."""
        return cls([Problem(what, remedy)])


class StoppedError(CampaignError):
    """Stopped early. Nothing is lost: the same command continues."""

    exit_code = 3


class LedgerError(StoppedError):
    """The ledger can't be read or written, so nothing may be sent."""


class BlockedError(StoppedError):
    """Stopped, and a person must fix something before the same command can continue: a wrong key, a full disk, a fuse.

    Nothing is lost.
    """

    exit_code = 5


class BrokenLedgerError(LedgerError, BlockedError):
    """The ledger can't be read or written until a person fixes something: damage, permissions, a full disk."""


class RunLockedError(CampaignError):
    """Another process is sending the same run."""

    exit_code = 4
