"""The sources of a running feed: their sessions, what they share, how they do with less."""
