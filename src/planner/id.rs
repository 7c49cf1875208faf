//! Names of networks, scenarios and outcomes: 64 hexadecimal digits of a SHA-256. People may give
//! the first few.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Digits of a whole id.
const DIGITS: usize = 64;
/// Fewest digits that are taken for one.
const LEAST_DIGITS: usize = 6;

/// A whole id. In files and folders it is the name, so it holds nothing but digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Id(String);

/// Why a text names nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "each message is its documentation")]
pub enum IdError {
    #[error("{0:?} is no id; allowed: {LEAST_DIGITS} to {DIGITS} hexadecimal digits")]
    Digits(String),
    #[error("no {kind} begins with {given}")]
    Unknown { kind: &'static str, given: String },
    #[error("{count} {kind}s begin with {given}; give more digits")]
    Ambiguous { kind: &'static str, given: String, count: usize },
}

impl Id {
    /// Of something that prints as one.
    ///
    /// # Panics
    /// When it does not: hashes do.
    pub fn of(hash: &impl fmt::Display) -> Id {
        Id::parse(&hash.to_string()).expect("a SHA-256 has 64 hexadecimal digits")
    }

    /// Of a SHA-256.
    ///
    /// # Panics
    /// Never: half a byte is a digit.
    pub fn of_bytes(hash: [u8; 32]) -> Id {
        let digit = |half: u8| char::from_digit(u32::from(half), 16).expect("half a byte");
        Id(hash.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect())
    }

    /// A whole id.
    pub fn parse(text: &str) -> Option<Id> {
        (text.len() == DIGITS && is_hexadecimal(text)).then(|| Id(text.to_owned()))
    }

    /// The one of `all` that begins with the digits given.
    ///
    /// # Errors
    /// When they are no digits, or none or several begin with them.
    pub fn find(
        given: &str,
        kind: &'static str,
        all: impl Iterator<Item = Id>,
    ) -> Result<Id, IdError> {
        let given = given.trim().to_ascii_lowercase();
        if !(LEAST_DIGITS..=DIGITS).contains(&given.len()) || !is_hexadecimal(&given) {
            return Err(IdError::Digits(given));
        }
        let mut found = all.filter(|id| id.0.starts_with(&given));
        let Some(first) = found.next() else { return Err(IdError::Unknown { kind, given }) };
        match found.count() {
            0 => Ok(first),
            more => Err(IdError::Ambiguous { kind, given, count: more + 1 }),
        }
    }

    /// All digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_hexadecimal(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(first: &str) -> Id {
        Id::parse(&format!("{first:0<64}")).unwrap()
    }

    #[test]
    fn the_first_digits_are_enough_when_they_tell_one() {
        let all = [id("abcdef01"), id("abcdef02"), id("123456")];
        let find = |given: &str| Id::find(given, "scenario", all.iter().cloned());
        assert_eq!(find("123456").unwrap(), all[2]);
        assert_eq!(find("ABCDEF02").unwrap(), all[1]);
        assert_eq!(find(all[0].as_str()).unwrap(), all[0]);
        let several = IdError::Ambiguous { kind: "scenario", given: "abcdef".into(), count: 2 };
        assert_eq!(find("abcdef").unwrap_err(), several);
        assert!(matches!(find("fffff0"), Err(IdError::Unknown { .. })));
        for wrong in ["", "12345", "../../etc/passwd", "12345g", "é12345"] {
            assert!(matches!(find(wrong), Err(IdError::Digits(_))), "{wrong}");
        }
    }
}
