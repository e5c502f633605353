"""The kinds of phone numbers, as `recipients.types` names them. Imports nothing, so that anybody may ask.

They are the types of libphonenumber, and satellite, for the networks that belong to no country.
"""

FIXED_LINE = "fixed-line"
MOBILE = "mobile"
SATELLITE = "satellite"
PERSONAL = "personal"
UNKNOWN = "unknown"

IN_WORDS = {
    MOBILE: "a mobile number",
    FIXED_LINE: "a fixed line",
    "fixed-line-or-mobile": "a number of a fixed line or a mobile",
    "voip": "a VoIP number",
    "toll-free": "a toll-free number",
    "premium-rate": "a premium rate number",
    "shared-cost": "a shared cost number",
    PERSONAL: "a personal number",
    "pager": "a pager",
    "uan": "a company's number for the whole country (UAN)",
    "voicemail": "a voicemail box",
    SATELLITE: "a number of a satellite or worldwide network",
    UNKNOWN: "a number of unknown kind",
}
"""What a number is, in words: "+6561234567 is …"."""

KINDS: tuple[str, ...] = tuple(IN_WORDS)
