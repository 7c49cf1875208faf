//! citytwin.
