//! To be written: Parquet files and checkpoints.
