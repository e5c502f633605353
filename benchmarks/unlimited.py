"""`python -m benchmarks.unlimited ARGUMENTS`: the command `campaign`, taking rates above its 5,000/s.

No provider allows such a rate, so no campaign file may ask for it; but only far above what can be sent does nothing
count but speed.
"""

import runner.campaign.values
from runner.cli.main import main

# Not only when started: a worker process that is spawned imports this too.
runner.campaign.values.MAX_PER_SECOND = 1_000_000  # type: ignore[misc]

if __name__ == "__main__":
    main()
