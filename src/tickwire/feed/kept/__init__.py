"""What outlives the process: state, positions, rings in files, and what was lost on the way."""
