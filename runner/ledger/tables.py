"""The ledger's tables, in the newest schema. `migrations.py` upgrades older ledgers.

How the status of a message changes (`messages.status`):

    (absent)  -> sending    claimed; the claim is committed before the request leaves
    sending   -> accepted   the provider accepted it (umid)
    sending   -> rejected   the provider rejected it
    sending   -> unknown    the request left, but no valid answer came; or the process died
    sending   -> (absent)   certainly not received: it may be claimed again
    unknown   -> accepted   reconcile found it in the provider's log
    unknown   -> accepted   an authorized delivery receipt came for it
    (absent)  -> accepted   an authorized delivery receipt came for a message that this ledger had lost
    (absent)  -> unknown    the same, but the receipt came without authorization: it may be true or forged
    (absent)  -> accepted   a rebuild found it in the provider's log, after this ledger had lost it
    (absent)  -> unknown    the same, but the log has no umid for it
    unknown   -> (absent)   reconcile proved that it is not in the provider's log

No transition leads from accepted or rejected back to sending. From unknown, only the provider's log can prove that a
message was not received. So nobody is texted twice.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    case,
    literal_column,
)
from sqlalchemy.types import TypeDecorator

# A status that only the ledger has: the request may be on its way.
SENDING = "sending"

# What the provider says about every accepted message. Written out, this text would be a fifth of the ledger, so the
# ledger stores a control character instead, which no readable text contains.
_USUAL_DETAIL = "SMS is accepted and queued for processing"
_ABBREVIATION = "\x01"


def abbreviated(detail: str | None) -> str | None:
    """The provider's text as the ledger stores it."""
    return _ABBREVIATION if detail == _USUAL_DETAIL else detail


class AbbreviatedDetail(TypeDecorator[str]):
    """A column for the provider's texts, which stores the usual one abbreviated."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:  # noqa: ANN401, ARG002 (SQLAlchemy's)
        return abbreviated(value)

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """Expand the abbreviation in SQL, so that it also works for code that reads the driver's rows directly."""
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
    Column("options", String, nullable=False),  # the send options as JSON, to report which of them changed
    Column("fingerprint", String(64), nullable=False),  # of the approval that the newest session was sent under
    Column("rows", Integer, nullable=False),
    Column("to_send", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger, nullable=False),  # of the newest session
    Column("ended_at", BigInteger),  # null: running, or killed
    Column("stop_reason", String(32)),  # null: the newest session was not stopped
    Column("stop_detail", String),  # while the session runs: what it waits for
    Column("holder", String(160)),  # the process that holds the lease; null: none
    Column("lease_until", BigInteger),  # when the lease expires
    # The resume point: the ledger has every message of the plan up to this row. Null: not known.
    Column("resume_plan", String(64)),  # SHA-256 of the plan's file
    Column("resume_row", Integer),  # 1-based
    Column("messages_digest", String(64)),  # of the plan that is being sent; null: not known
    # The answer that stopped the newest session, and the message that got it. Null: no answer stopped it.
    Column("stop_message_id", String(160)),
    Column("stop_attempts", Integer),
    Column("stop_http_status", Integer),
    Column("stop_error_code", Integer),
    Column("stop_error_id", String(64)),
    Column("stop_sent_at", BigInteger),
    Column("stop_answered_at", BigInteger),
    Column("resume_checksum", Integer),  # of the resume point; null: an older version wrote it
    Column("places", String),  # where messages were sent: base URLs, separated by spaces; null: not known
    UniqueConstraint("name", "run"),
)

messages = Table(
    "messages",
    metadata,
    Column("run_id", Integer, ForeignKey("runs.id"), primary_key=True),
    Column("message_id", String(160), primary_key=True),  # the clientMessageId
    Column("key", String, nullable=False),
    # What was sent, for reports that are made after the recipient file has changed.
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
    Column("settled_at", BigInteger),  # of an unknown message: its request left before this time
    Column("umid", String(64)),
    Column("http_status", Integer),
    Column("error_code", Integer),
    Column("error_id", String(64)),
    # What the provider's log says about a message that reconcile found there.
    Column("log_status", String(40)),
    Column("log_segments", Integer),
    Column("log_price", String(24)),  # decimal text: money is not a float
    Column("log_currency", String(3)),
    Column("checksum", Integer),  # of run_id, message_id and status; null: an older version wrote the message
    sqlite_with_rowid=False,
)

# For the frequency cap and for conversions by umid. Making an index of millions of messages locks the ledger for long,
# so they are never made while others send.
Index("messages_by_destination", messages.c.destination, messages.c.claimed_at)
Index("messages_by_umid", messages.c.umid)

# One row per message that has receipts, with all its receipts merged. The ledger may not know the message: a receipt
# can arrive before the answer, or be about a message of another ledger.
receipts = Table(
    "receipts",
    metadata,
    Column("umid", String(64), primary_key=True),
    Column("message_id", String(350), index=True),  # the clientMessageId; null if the receipt doesn't have it
    Column("state", String(16), nullable=False),
    Column("at", BigInteger, nullable=False),  # when the state was reached, by the provider's clock
    Column("detail", String(40)),
    Column("error_code", Integer),
    Column("error_message", String),
    Column("delivered_at", BigInteger),
    Column("segments", Integer),
    Column("price", String(24)),  # decimal text: money is not a float
    Column("currency", String(3)),
    Column("received_at", BigInteger, nullable=False),  # when the newest receipt arrived, by this computer's clock
    # Whether the sender showed the authorization, so that the receipt is proof. Null: an older version received it.
    Column("is_authorized", Boolean),
    sqlite_with_rowid=False,
)

# Numbers that opted out of all campaigns or, if is_out is false, opted in again.
optouts = Table(
    "optouts",
    metadata,
    Column("destination", String(16), primary_key=True),
    Column("is_out", Boolean, nullable=False),
    Column("at", BigInteger, nullable=False),  # the newest change counts, in whatever order changes arrive
    Column("source", String(16), nullable=False),
    Column("word", String(40)),
    Column("checksum", Integer),  # of destination, is_out and at; null: an older version wrote the opt-out
    sqlite_with_rowid=False,
)

# Replies that may be opt-outs. Each waits until a person has decided.
replies = Table(
    "replies",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("digest", String(32), nullable=False, unique=True),  # of the event, so that it isn't kept twice
    Column("destination", String(16), nullable=False),  # who replied; empty after the decision
    Column("at", BigInteger, nullable=False),
    Column("text", String),  # null after the decision, or after a purge
    Column("word", String(40), nullable=False),  # the part that may be an opt-out
    Column("decision", String(10)),  # accepted or dismissed; null: it waits
    Column("decided_at", BigInteger),
)

# How the status of a conversion changes (`feedback.status`):
#
#     (absent) -> pending   recorded before its request leaves
#     pending  -> told      the provider accepted it
#     pending  -> refused   the provider refused it; it is not retried
#     pending  -> pending   no answer: it is retried, which does no harm
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

# Requests to cancel messages that the provider has scheduled. The status is cancelled or refused.
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
    Column("reason", String(32)),  # why a session stopped early; null for other events, and in older ledgers
)

# The plans that were shown, and which of them were approved. A run need not exist when its plan is shown.
approvals = Table(
    "approvals",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("run", String(64), primary_key=True),
    Column("fingerprint", String(64), primary_key=True),
    Column("parts", String, nullable=False),  # what the fingerprint covers, as JSON, to report which part changed
    Column("planned_at", BigInteger, nullable=False),
    Column("planned_by", String(80)),  # null: not known
    Column("approved_at", BigInteger),  # null: a run was never started with this approval
    Column("spent_at", BigInteger),  # when a run under this approval was complete; it approves nothing more
    sqlite_with_rowid=False,
)

# The audit trail: only ever appended to. `hash` covers the entry and the hash of the entry before (see `audit.py`).
audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("action", String(24), nullable=False),
    Column("run", String(129)),  # NAME/RUN; null: the entry is about the whole ledger
    Column("actor", String(80), nullable=False),
    Column("machine", String(80), nullable=False),
    Column("version", String(24), nullable=False),
    Column("detail", String, nullable=False),  # JSON without personal data
    # The person that an entry is about. The hash covers only `person`, the digest of salt and number, so that a purge
    # can remove the number and the salt without breaking the chain.
    Column("person", String(64)),
    Column("destination", String(16)),
    Column("salt", String(32)),
    Column("hash", String(64), nullable=False),
)
# Partial, because most entries can be opt-outs, which belong to no run.
Index("ix_audit_run", audit.c.run, sqlite_where=audit.c.run.is_not(None))
