"""The one limit for waiting in tests."""

# How long a test waits for another thread, process or connection. A busy machine is never this slow: who waits longer
# waits for ever.
DEADLINE_S = 300.0
