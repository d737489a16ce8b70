"""The masked copy of the database: the only data that an assistant's query can reach."""
