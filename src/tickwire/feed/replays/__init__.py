"""Captures and recordings through the pipeline of a feed."""
