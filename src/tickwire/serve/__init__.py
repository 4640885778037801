"""What looks into a feed from outside: SQL over what it has written and what its rings hold.

Knows nothing of: sinks and the feed, which hands in its rings and where its tables are.
Words: statement, snapshot, fresh rows, committed rows, query. Its C part: nowhere.
"""
