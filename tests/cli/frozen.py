"""Imported last by the server that forks programs: what stands then stays, and is not collected.

A collection in a forked process would write to, and so copy, the pages of everything imported.
"""

import gc

gc.collect()
gc.freeze()
