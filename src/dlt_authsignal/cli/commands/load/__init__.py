"""Commands that write into the database: loads, their rehearsal, and erasure."""
