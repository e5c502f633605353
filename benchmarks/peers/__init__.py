"""The same job as others do it: read the CSV, render the text, post it, write a results CSV. None keeps a ledger."""
