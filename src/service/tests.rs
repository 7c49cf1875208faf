//! In process, over hand-made snapshots.
