"""Load the events in a spool: once, again, and from archives; and delete old files."""
