"""Maps of many texts: rows in, a folder of parquet files out."""
