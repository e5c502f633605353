"""The use cases: each command's work from its inputs to its results, wired together from the other rooms.

The command line decides what to ask and how to show it. What `campaign run` does, in its order, is in `execute`.
"""
