"""The body of `POST /api/v1/subaccounts/{subAccountId}/messages`, as the provider's document has it. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from runner.base.messages import Encoding, Message


@dataclass(frozen=True, slots=True)
class SendOptions:
    """What the campaign says about every message alike. None means that the field is not sent.

    `scheduled` and `expiry` are absolute, or relative to the moment of sending. `send_country` adds each number's
    country to its request.
    """

    source: str | None = None
    encoding: Encoding = Encoding.AUTO
    scheduled: datetime | timedelta | None = None
    expiry: datetime | timedelta | None = None
    dlr_callback_url: str | None = None
    client_ip: str | None = None
    track: str | None = None
    send_country: bool = False


def _moment(value: datetime | timedelta, message: Message, now: datetime) -> str:  # noqa: ARG001 (all writers are alike)
    """An absolute moment, or one relative to the send, in ISO 8601 and whole seconds."""
    moment = (now.astimezone(UTC) + value).replace(microsecond=0) if isinstance(value, timedelta) else value
    return moment.isoformat()


def _country(value: bool, message: Message, now: datetime) -> str | None:  # noqa: ARG001
    return (message.country or None) if value else None


# Every option of a message: the provider's field; the attribute of `SendOptions`; what writes its value for a message,
# None where that is the same for all messages. A value of None leaves the field out.
OPTIONS: tuple[tuple[str, str, Callable[[Any, Message, datetime], object] | None], ...] = (
    ("source", "source", None),
    ("encoding", "encoding", None),
    ("dlrCallbackUrl", "dlr_callback_url", None),
    ("clientIp", "client_ip", None),
    ("track", "track", None),
    ("country", "send_country", _country),
    ("scheduled", "scheduled", _moment),
    ("expiry", "expiry", _moment),
)


class PayloadBuilder:
    """Builds the JSON body of each message of a campaign.

    The fields that are alike for all are made once. Bytes, not str: they go to the socket as they are.
    """

    def __init__(self, options: SendOptions) -> None:
        given = [(field, getattr(options, attribute), write) for field, attribute, write in OPTIONS]
        given = [option for option in given if option[1] is not None]
        self._common = {field: value for field, value, write in given if write is None}
        self._written = [(field, value, write) for field, value, write in given if write is not None]

    def build(self, message: Message, now: datetime, scheduled: datetime | None = None) -> bytes:
        """The body for one message; `now` (aware) is what relative moments count from.

        `scheduled` (aware) takes the place of the campaign's own: the message's sending hours begin then. A relative
        `expiry` counts from it, or a message that is kept overnight would have expired before it is sent.
        """
        body: dict[str, Any] = {
            "destination": message.destination,
            "text": message.text,
            "clientMessageId": message.message_id,
            **self._common,
        }
        for field, value, write in self._written:
            if (written := write(value, message, scheduled or now)) is not None:
                body[field] = written
        if scheduled is not None:
            body["scheduled"] = scheduled.replace(microsecond=0).isoformat()
        return orjson.dumps(body)
