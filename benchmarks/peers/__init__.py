"""The same job with other programs: read a CSV, render the text, post it, write a results CSV. They have no ledger."""
