"""Many problems: rows in, rows out, resumable to the row (`runner`). How they are solved is an `Engine`'s matter: in this
process (`local`), or in many on a Ray cluster (`cluster`)."""
