//! Road networks as other programs write them: text in, links and trips of
//! `citytwin_core::traffic` out. One file for each format; what must not live here: solving.

pub mod tntp;
