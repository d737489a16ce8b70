"""The tables: columns, keys, sensitivity, secret fields, bookkeeping and history tables. Pure."""
