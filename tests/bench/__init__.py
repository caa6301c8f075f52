"""What `make bench` measures; pytest collects nothing here."""
