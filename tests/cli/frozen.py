"""Imported last by the server that forks programs: what stands then stays, and is not collected.

A collection in a forked process would write to, and so copy, the pages of everything imported. At
its end all is collected: libraries complain of objects that are left then.
"""

import atexit
import gc

from tests.coverage.inherited import read_generated_c

read_generated_c()
gc.collect()
gc.freeze()
atexit.register(gc.unfreeze)
