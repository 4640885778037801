"""`python -m benchmarks.pipelines`: measure whole pipelines, write the results, judge the gates."""

import sys

if __name__ == "__main__":
    # Only here: a sender's process imports this file again, and needs none of it.
    from benchmarks.pipelines.session import main

    sys.exit(main())
