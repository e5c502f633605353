"""The body of `POST /api/v1/subaccounts/{subAccountId}/messages`, as the provider documents it. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from runner.base.messages import Encoding, Message


@dataclass(frozen=True, slots=True)
class SendOptions:
    """The options that are the same for all messages of a campaign. None means that the field is not sent.

    `scheduled` and `expiry` are absolute, or relative to the time of sending. `send_country` adds each number's country
    to its request.
    """

    source: str | None = None
    encoding: Encoding = Encoding.AUTO
    scheduled: datetime | timedelta | None = None
    expiry: datetime | timedelta | None = None
    dlr_callback_url: str | None = None
    client_ip: str | None = None
    track: str | None = None
    send_country: bool = False


class PayloadBuilder:
    """Builds the JSON body of each message of a campaign.

    The common fields are prepared once. Bodies are bytes, because they go directly to the socket.
    """

    def __init__(self, options: SendOptions) -> None:
        self._options = options
        common = {
            "source": options.source,
            "encoding": options.encoding,
            "dlrCallbackUrl": options.dlr_callback_url,
            "clientIp": options.client_ip,
            "track": options.track,
        }
        self._common = {field: value for field, value in common.items() if value is not None}

    def build(self, message: Message, now: datetime, scheduled: datetime | None = None) -> bytes:
        """The body for one message. Relative times count from `now` (aware).

        `scheduled` (aware) replaces the campaign's value, if the message has to wait for its sending hours. A relative
        `expiry` counts from it; otherwise a message that waits overnight would expire before it is sent.
        """
        body: dict[str, Any] = {
            "destination": message.destination,
            "text": message.text,
            "clientMessageId": message.message_id,
            **self._common,
        }
        if self._options.send_country and message.country:
            body["country"] = message.country
        for field, moment in (("scheduled", scheduled or self._options.scheduled), ("expiry", self._options.expiry)):
            if moment is not None:
                at = (scheduled or now).astimezone(UTC) + moment if isinstance(moment, timedelta) else moment
                body[field] = at.isoformat(timespec="seconds")
        return orjson.dumps(body)
