"""What a run leaves: its record, its thread, its files."""
