//! To be written: the session on a foreign broker.
