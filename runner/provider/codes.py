"""The provider's error codes: what each means for a message, and what a person should look at.

Source: the error code table of the SMS API's documentation. Codes that aren't listed there are treated by their HTTP
status alone.
"""

from runner.models import OutcomeReason

_R = OutcomeReason

REJECTIONS: dict[int, OutcomeReason] = {
    1002: _R.INVALID_DESTINATION,
    1003: _R.INVALID_OPTION,
    1004: _R.INVALID_TEXT,
    1005: _R.INVALID_SOURCE,
    1006: _R.INVALID_OPTION,
    1008: _R.INVALID_OPTION,
    1009: _R.INVALID_DESTINATION,
    1010: _R.INVALID_OPTION,
    1011: _R.INVALID_OPTION,
    1012: _R.INVALID_OPTION,
    1400: _R.RESENDING_INTERVAL,
    3002: _R.INVALID_DESTINATION,
    3003: _R.INVALID_DESTINATION,
    3005: _R.INVALID_TEXT,
    3006: _R.INVALID_TEXT,
    3009: _R.INVALID_OPTION,
    3011: _R.INVALID_SOURCE,
    3020: _R.INVALID_OPTION,
}
"""Codes about one message: the next one may well be fine."""

FATAL: dict[int, OutcomeReason] = {
    1001: _R.NOT_FOUND,
    1014: _R.UPGRADE_REQUIRED,
    1200: _R.UNAUTHORIZED,
    1201: _R.FORBIDDEN,
    2001: _R.UNSUPPORTED,
    2002: _R.UNSUPPORTED,
    2003: _R.UNSUPPORTED,
}
"""Codes about the account or the program: every further message would get the same answer."""

FATAL_STATUS: dict[int, OutcomeReason] = {
    401: _R.UNAUTHORIZED,
    403: _R.FORBIDDEN,
    404: _R.NOT_FOUND,
    410: _R.UNSUPPORTED,
    426: _R.UPGRADE_REQUIRED,
}

ADVICE: dict[OutcomeReason, str] = {
    _R.UNAUTHORIZED: "check EIGHTXEIGHT_API_KEY: is it complete, and a key of this region and account?",
    _R.FORBIDDEN: "check that the API key may use this sub-account, and that this computer's address is allow-listed",
    _R.NOT_FOUND: "check account.subAccountId and account.region (and EIGHTXEIGHT_BASE_URL, if it is set)",
    _R.UPGRADE_REQUIRED: "the provider wants TLS 1.3; check whether a proxy or an old OpenSSL stands between",
    _R.UNSUPPORTED: "the provider doesn't support this request any longer; look for a newer campaign-runner",
    _R.UNEXPECTED_ANSWER: "check account.region and EIGHTXEIGHT_BASE_URL: this doesn't look like the SMS API",
    _R.NO_CONNECTION: "check the network, DNS, proxy and firewall of this computer",
    _R.FUSE: "look at the examples: is it the right file, sender and text, or is the provider in trouble?",
    _R.INVALID_DESTINATION: "check these numbers and the country they are read with",
    _R.INVALID_TEXT: "check the rendered text with `campaign preview`",
    _R.INVALID_SOURCE: "check message.source: it must be a sender id that the provider has approved",
    _R.INVALID_OPTION: "check the options under message: (scheduled, expiry, clientIp, dlrCallbackUrl)",
    _R.RESENDING_INTERVAL: "the provider blocks a repeated message to the same number; wait before another campaign",
}
"""What to look at, for the reasons where a person can do something."""
