"""The books of a feed: their snapshots, what is kept and what is shown of them."""
