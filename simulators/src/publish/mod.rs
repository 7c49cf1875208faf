//! Sends what the sources of a fleet have due over MQTT and waits for the acknowledgements.
