//! What-if on roads: what traffic does when the city is changed. Pure models on a plain graph of
//! links between junctions; what must not live here: files, maps, sensors, the snapshot.
//!
//! [`assign`] answers "what is the new balance if this stays so".

pub mod assign;
