"""What cells show: results, tables, cards. Everything from a gateway is escaped."""
