"""Emergency hooks that come with tickwire, each for one exchange.

Knows nothing of: the feed, which a hook is given. Words: hook, worker, account, order, position,
dead man's switch, dry run. Its C part: nowhere.
"""
