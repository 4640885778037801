"""The handler: builds the corridor from a configuration, supervises, shuts down.

Knows nothing of: the command line. Words: feed handler, source, sink, consumer, summary. Its C part: nowhere.
"""
