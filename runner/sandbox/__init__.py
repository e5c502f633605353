"""A stand-in for the 8x8 SMS API, in a process of its own: nothing it accepts ever reaches a phone.

It is a second, independent reading of the provider's document: it shares no code with `runner.provider`, so that a
misunderstanding in one of the two shows as a failed request instead of hiding in both.
"""

from runner.sandbox.options import SandboxOptions
from runner.sandbox.process import SandboxProcess, serve, start

__all__ = ["SandboxOptions", "SandboxProcess", "serve", "start"]
