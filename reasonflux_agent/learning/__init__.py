"""Learns a template library from solved problems, and shows on rows that chose nothing whether it helps (docs/learning.md)."""
