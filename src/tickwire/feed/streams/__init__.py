"""What happens to streams: legs of a source, gaps, silence, lag, drift, trades by REST."""
