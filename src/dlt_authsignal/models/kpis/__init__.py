"""The KPIs: dictionary, SQL, the queries that both make, and what they need."""
