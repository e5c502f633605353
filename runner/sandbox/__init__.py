"""A simulated 8x8 SMS API in a separate process. No message that it accepts ever reaches a phone.

It is an independent implementation of the API and shares no code with `runner.provider`. So a misunderstanding of the
provider's documentation in one of them shows up as a failed request, instead of being hidden in both.
"""
