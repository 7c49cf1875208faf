//! Sends recorded data (Parquet, CSV) through MQTT, as seen or shifted to now.
