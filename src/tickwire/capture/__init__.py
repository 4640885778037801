"""Reads and writes captures.

Knows nothing of: who plays them. Words: capture, message, receive time. Its C part: nowhere.
"""
