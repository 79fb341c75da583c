"""The lake: captures of many gateways as one Delta table, which DuckDB, Dask, polars and Spark read, too."""
