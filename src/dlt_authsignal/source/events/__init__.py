"""Events that Authsignal reports by webhook: from deliveries to tables, and from the spool to the destination."""
