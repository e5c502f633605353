"""The ground floor: the frozen records and closed codes that rooms hand each other, and what several rooms share.

Codes are for programs to match on, words (`detail`) for people to read. Times are integers: microseconds since the
Unix epoch, UTC.
"""
