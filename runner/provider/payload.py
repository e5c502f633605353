"""The body of `POST /api/v1/subaccounts/{subAccountId}/messages`, as the provider's document has it. Pure."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from runner.models import Message, SendOptions


class PayloadBuilder:
    """Builds the JSON body of each message of a campaign.

    The fields that are alike for all are made once. Bytes, not str: they go to the socket as they are.
    """

    def __init__(self, options: SendOptions) -> None:
        fields = {
            "source": options.source,
            "encoding": options.encoding.value,
            "dlrCallbackUrl": options.dlr_callback_url,
            "clientIp": options.client_ip,
            "track": options.track,
        }
        self._common: dict[str, Any] = {name: value for name, value in fields.items() if value is not None}
        self._moments = {
            name: moment
            for name, moment in (("scheduled", options.scheduled), ("expiry", options.expiry))
            if moment is not None
        }
        self._send_country = options.send_country

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
        if self._send_country and message.country:
            body["country"] = message.country
        moments = self._moments
        if scheduled is not None:
            moments, now = {**moments, "scheduled": scheduled.replace(microsecond=0)}, scheduled
        for name, moment in moments.items():
            body[name] = _iso(_after(now, moment) if isinstance(moment, timedelta) else moment)
        return orjson.dumps(body)


def _after(now: datetime, delay: timedelta) -> datetime:
    return (now.astimezone(UTC) + delay).replace(microsecond=0)


def _iso(moment: datetime) -> str:
    return moment.isoformat()
