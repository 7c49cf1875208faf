//! Stable names of links, junctions and zones, and their dense numbers inside one [`Network`].
//! Keys go to disk and into scenarios; numbers live no longer than the network they count in.
//!
//! [`Network`]: super::Network

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Longest key, in bytes.
pub const MAX_KEY_LEN: usize = 128;

/// Why a text is no key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{0:?} is no key: 1 to {MAX_KEY_LEN} bytes, no space at the ends, no control character, no ';'"
)]
pub struct KeyError(String);

/// Whether a text may name a link, a junction or a zone. `;` is kept free: lists of keys are
/// joined with it.
pub fn is_key(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_KEY_LEN
        && text.trim() == text
        && !text.contains(|c: char| c == ';' || c.is_control())
}

macro_rules! key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(Arc<str>);

        impl $name {
            /// From its text.
            ///
            /// # Errors
            /// When the text is no key ([`is_key`]).
            pub fn parse(text: &str) -> Result<$name, KeyError> {
                if is_key(text) {
                    return Ok($name(Arc::from(text)));
                }
                Err(KeyError(text.chars().take(200).collect()))
            }

            /// Its text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        /// So that a map by key is asked with a plain text.
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

key! {
    /// A link's stable name: `osm:WAY:FROM_NODE-TO_NODE`, or the link_id of a GMNS file.
    LinkKey
}
key! {
    /// A junction's stable name: `osm:NODE`, or the node_id of a GMNS file.
    JunctionKey
}
key! {
    /// A zone's stable name.
    ZoneKey
}

macro_rules! index {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub struct $name(u32);

        impl $name {
            /// The one with this number.
            pub const fn new(number: u32) -> $name {
                $name(number)
            }

            /// Its number, from 0 without gaps.
            pub const fn number(self) -> u32 {
                self.0
            }

            /// Position in a table of all.
            pub const fn slot(self) -> usize {
                self.0 as usize
            }

            /// From a position in a table.
            ///
            /// # Panics
            /// Beyond `u32`: [`Draft::build`](super::Draft::build) takes no more.
            pub(crate) fn at(slot: usize) -> $name {
                $name(u32::try_from(slot).expect("a network counts in u32"))
            }
        }
    };
}

index! {
    /// A link's number in one network: the order of the keys.
    LinkIndex
}
index! {
    /// A junction's number in one network: the order of the keys.
    JunctionIndex
}
index! {
    /// A movement's number in one network: by its link in, then its link out.
    MovementIndex
}
index! {
    /// A zone's number in one network: the order of the keys.
    ZoneIndex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_clean() {
        assert_eq!(LinkKey::parse("osm:12:3-4").unwrap().as_str(), "osm:12:3-4");
        for bad in ["", " a", "a ", "a;b", "a\nb", &"x".repeat(129)] {
            assert!(LinkKey::parse(bad).is_err(), "{bad:?}");
        }
        assert!(is_key("Nguyễn Huệ 2"));
    }
}
