"""Graphs built around the solving graph: `review` (a person in the loop) and `tutor` (a chat agent)."""
