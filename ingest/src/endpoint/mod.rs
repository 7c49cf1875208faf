//! To be written: the MQTT endpoint.
