//! What a sensor measures, by kind and time of day.
