"""Many problems: rows in, rows out, resumable to the row (`runner`); how rows are solved is an `Engine`'s matter (`local`)."""
