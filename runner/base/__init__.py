"""The lowest floor: records, closed sets of codes, and helpers that several rooms share.

Programs compare codes; people read texts (`detail`). Times are integers: microseconds since the Unix epoch, UTC.
"""
