"""The composition root: wires one run together, from the campaign file to the results.

The command line decides what to ask and how to show it. What a run does happens here, in this order: read the inputs,
lock the run, open the ledger, plan, hold the plan against what was sent before (`job`), send (`send`), report
(`report`).
"""
