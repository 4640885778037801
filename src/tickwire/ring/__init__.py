"""Preallocated columns, cursor and gating sequences, overflow policy, leases, Arrow export.

Knows nothing of: messages and venues. Words: sequence, cursor, gating, claim, publish, lease, dictionary, code. Its C part: ext/tickwire/ring.
"""
