"""The ledger's tables, in the newest schema (`migrations.py` upgrades older ledgers).

A message's life (`messages.status`):

    (absent)  -> sending    a claim, committed before the request leaves
    sending   -> accepted   the provider took it (umid)
    sending   -> rejected   the provider refused it
    sending   -> unknown    bytes left and no proof came back; or the process died
    sending   -> (absent)   certainly not received: it may be claimed again
    unknown   -> accepted   reconcile found it in the provider's log
    unknown   -> accepted   a receipt came for it
    (absent)  -> accepted   a receipt came for a message that this ledger had lost
    unknown   -> (absent)   reconcile proved that the provider's log doesn't have it

Nothing leads from accepted or rejected back to sending, and from unknown only with the provider's proof, so nobody is
texted twice.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    case,
    literal_column,
)
from sqlalchemy.types import TypeDecorator

# The one status that is only the ledger's: a request that may be on its way.
SENDING = "sending"

# The provider's words for an accepted message, the same for each: written out, they are a fifth of the ledger. In their
# place stands a control character, which no words for people contain.
_USUAL_DETAIL = "SMS is accepted and queued for processing"
_ABBREVIATION = "\x01"


def abbreviated(detail: str | None) -> str | None:
    """The provider's words as the ledger stores them."""
    return _ABBREVIATION if detail == _USUAL_DETAIL else detail


class AbbreviatedDetail(TypeDecorator[str]):
    """A column of the provider's words, the usual ones abbreviated."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:  # noqa: ANN401, ARG002 (SQLAlchemy's)
        return abbreviated(value)

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """The database writes the words out, also for code that takes the driver's own rows."""
        is_abbreviated = column == literal_column(f"char({ord(_ABBREVIATION)})")
        return case((is_abbreviated, literal_column(f"'{_USUAL_DETAIL}'")), else_=column)


metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", String(255), nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False),
    Column("run", String(64), nullable=False),
    Column("sub_account_id", String(50), nullable=False),
    Column("options", String, nullable=False),  # JSON of the send options, to say what a changed campaign changed
    Column("fingerprint", String(64), nullable=False),  # of the plan that is being sent
    Column("rows", Integer, nullable=False),
    Column("to_send", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger, nullable=False),  # of the newest session
    Column("ended_at", BigInteger),  # null: going on, or killed
    Column("stop_reason", String(32)),  # null: the newest session went to its end
    Column("stop_detail", String),  # while the session goes on: what it waits for
    Column("holder", String(160)),  # who may send; null: nobody does
    Column("lease_until", BigInteger),  # until when, if it isn't renewed
    # The resume point: the ledger has every message of the plan up to this row. Null: that isn't known.
    Column("resume_plan", String(64)),  # SHA-256 of the plan's file
    Column("resume_row", Integer),  # 1-based
    UniqueConstraint("name", "run"),
)

messages = Table(
    "messages",
    metadata,
    Column("run_id", Integer, ForeignKey("runs.id"), primary_key=True),
    Column("message_id", String(160), primary_key=True),  # the clientMessageId
    Column("key", String, nullable=False),
    # What was sent, for a report made after the file has changed.
    Column("destination", String(16), nullable=False),
    Column("country", String(2)),
    Column("encoding", String(4), nullable=False),
    Column("segments", Integer, nullable=False),
    Column("status", String(10), nullable=False),
    Column("reason", String(32)),
    Column("detail", AbbreviatedDetail),
    Column("attempts", Integer, nullable=False),
    Column("claimed_at", BigInteger, nullable=False),
    Column("sent_at", BigInteger),
    Column("answered_at", BigInteger),
    Column("settled_at", BigInteger),  # an unknown request left before this
    Column("umid", String(64)),
    Column("http_status", Integer),
    Column("error_code", Integer),
    Column("error_id", String(64)),
    # What the provider's log has of a message that reconcile found there.
    Column("log_status", String(40)),
    Column("log_segments", Integer),
    Column("log_price", String(24)),  # decimal text: money is not a float
    Column("log_currency", String(3)),
    sqlite_with_rowid=False,
)

# One row for each message that has receipts, merged. No run of this ledger need have the message: a receipt may come
# before the answer, or for another ledger's message.
receipts = Table(
    "receipts",
    metadata,
    Column("umid", String(64), primary_key=True),
    Column("message_id", String(350), index=True),  # the clientMessageId; null if the provider doesn't echo it
    Column("state", String(16), nullable=False),
    Column("at", BigInteger, nullable=False),  # the provider's time of the state
    Column("detail", String(40)),
    Column("error_code", Integer),
    Column("error_message", String),
    Column("delivered_at", BigInteger),
    Column("segments", Integer),
    Column("price", String(24)),  # decimal text: money is not a float
    Column("currency", String(3)),
    Column("received_at", BigInteger, nullable=False),  # the newest receipt's, by this computer's clock
    sqlite_with_rowid=False,
)

# Numbers that opted out of all campaigns; or, with is_out false, took that back.
optouts = Table(
    "optouts",
    metadata,
    Column("destination", String(16), primary_key=True),
    Column("is_out", Boolean, nullable=False),
    Column("at", BigInteger, nullable=False),  # the newest counts, whatever order they come in
    Column("source", String(16), nullable=False),
    Column("word", String(40)),
    sqlite_with_rowid=False,
)

# A conversion's life (`feedback.status`):
#
#     (absent) -> pending   noted before its request leaves
#     pending  -> told      the provider took it
#     pending  -> refused   the provider refused it; it isn't repeated
#     pending  -> pending   no answer: repeating does no harm
#     any      -> pending   the user reports another outcome or time
feedback = Table(
    "feedback",
    metadata,
    Column("run_id", Integer, ForeignKey("runs.id"), primary_key=True),
    Column("message_id", String(160), primary_key=True),
    Column("outcome", String(8), nullable=False),
    Column("converted_at", BigInteger),
    Column("status", String(10), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("http_status", Integer),
    Column("detail", String),
    Column("noted_at", BigInteger, nullable=False),
    Column("settled_at", BigInteger),
    sqlite_with_rowid=False,
)

# Requests to cancel messages that are scheduled at the provider: cancelled, or refused.
cancellations = Table(
    "cancellations",
    metadata,
    Column("run_id", Integer, ForeignKey("runs.id"), primary_key=True),
    Column("message_id", String(160), primary_key=True),
    Column("status", String(10), nullable=False),
    Column("http_status", Integer),
    Column("detail", String),
    Column("settled_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", Integer, ForeignKey("runs.id"), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("seconds", Float),
    Column("detail", String),
)
