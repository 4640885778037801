"""What programs take rows, gaps and events with."""
