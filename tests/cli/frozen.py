"""Imported last by the server that forks programs: what stands then stays, and is not collected.

A collection in a forked process would write to, and so copy, the pages of everything imported. At
its end all is collected: libraries complain of objects that are left then.
"""

import atexit
import gc

from tests.coverage import counts

counts.write_at_exit()
gc.collect()
gc.freeze()
atexit.register(gc.unfreeze)
