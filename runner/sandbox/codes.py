"""The `code` of an error body, as the provider's document and guides list them, with the HTTP status of each.

The status is the one of the document's examples. It has none for many codes: these come with 400, the status that fits
whatever is wrong with one request.
"""

from enum import IntEnum


class Code(IntEnum):
    """Every documented code."""

    QUOTA_EXCEEDED = 429
    INVALID_PARAMETER = 1000
    ILLEGAL_SUB_ACCOUNT = 1001
    INVALID_MSISDN = 1002
    INVALID_ENCODING = 1003
    INVALID_TEXT = 1004
    INVALID_SOURCE = 1005
    INVALID_EXPIRY = 1006
    INVALID_TEMPLATE = 1007
    INVALID_ID = 1008
    INVALID_COUNTRY = 1009
    OUT_OF_RANGE = 1010
    INVALID_SCHEDULE = 1011
    INVALID_IP_ADDRESS = 1012
    INSECURE_PROTOCOL = 1014
    BULK_LIMIT = 1100
    UNAUTHORIZED = 1200
    FORBIDDEN = 1201
    NOT_FOUND = 1300
    RESENDING_INTERVAL = 1400
    INTERNAL_ERROR = 2000
    NOT_IMPLEMENTED = 2001
    UNSUPPORTED_VERSION = 2002
    UNSUPPORTED_PRODUCT = 2003
    MISSED_MSISDN = 3002
    INVALID_MSISDN_TOO = 3003
    MISSED_TEXT = 3005
    TOO_LONG_TEXT = 3006
    TOO_LONG_CLIENT_MESSAGE_ID = 3009
    TOO_LONG_SOURCE = 3011
    INVALID_CALLBACK_URL = 3020
    INVALID_JOB_ID = 4018


def http_status_of(code: Code) -> int:
    return _STATUSES.get(code, 400)


_STATUSES = {
    Code.QUOTA_EXCEEDED: 429,
    Code.ILLEGAL_SUB_ACCOUNT: 404,
    Code.INSECURE_PROTOCOL: 426,
    Code.UNAUTHORIZED: 401,
    Code.FORBIDDEN: 403,
    Code.NOT_FOUND: 404,
    # The guides describe 422 as a sound request that cannot be followed, and 410 as an API version that is gone.
    Code.RESENDING_INTERVAL: 422,
    Code.UNSUPPORTED_VERSION: 410,
    Code.INTERNAL_ERROR: 500,
    Code.INVALID_JOB_ID: 404,
}
