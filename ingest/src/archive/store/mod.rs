//! The archive's files in a store elsewhere: a bucket of the S3 protocol, or another folder.
//!
//! ```text
//! {store}/folder-id                                            whose archive it is
//! {store}/archive/readings/date=…/readings-{first}-{last}.parquet           as in the data folder
//! {store}/archive/readings/_delta_log/…                        a Delta log of the store's own
//! ```
//!
//! The data folder is where files are written, and nothing there waits for the store. A [`Carrier`]
//! follows: it brings the files of a view to the store, and then the store's Delta tables to those
//! files, one commit a table. So a reader of the store's tables sees every row through the epoch
//! that a table names exactly once, whenever it reads, and after an outage one commit makes up for
//! all of it.
//!
//! One data folder owns a store. Another engine's is refused: the tables follow the files of one
//! archive, so an empty one would take all files out of them.

mod address;
mod bucket;
mod carrier;

pub use address::{Credentials, Store, StoreAddress, StoreSettings};
#[cfg(test)]
pub(super) use carrier::tests;
pub use carrier::{Carried, Carrier};
