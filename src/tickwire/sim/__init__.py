"""The exchange simulator and the load generator.

Knows nothing of: the feed. Words: simulator, market, seed, speed. Its C part: nowhere.
"""
