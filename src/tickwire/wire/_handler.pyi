class Handler:
    has_events: bool
