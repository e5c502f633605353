"""A stand-in for the 8x8 SMS API, in a process of its own: nothing it accepts ever reaches a phone.

It is a second, independent reading of the provider's document: it shares no code with `runner.provider`, so that a
misunderstanding in one of the two shows as a failed request instead of hiding in both.
"""
