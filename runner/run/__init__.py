"""The use cases: what each command does, from its inputs to its results, using the other rooms.

The command line asks and prints. `execute` shows the steps of `campaign run` in order.
"""
