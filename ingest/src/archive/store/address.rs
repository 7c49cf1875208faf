//! Where a store is, who may use it, and the way to it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ObjectStore, RetryConfig};

/// How long one request is tried again; what fails then is tried again with the next round.
const PATIENCE: Duration = Duration::from_secs(15);
const RETRIES: usize = 5;

/// `s3://bucket`, `s3://bucket/prefix` or `file:///folder`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreAddress {
    place: Place,
    text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Bucket { name: String, prefix: Key },
    Folder(PathBuf),
}

/// Names and values as other tools take them from the environment: `AWS_ACCESS_KEY_ID`,
/// `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT_URL`, `AWS_ALLOW_HTTP`, … Never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials(Vec<(String, String)>);

/// Where the archive is carried to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSettings {
    /// The place.
    pub address: StoreAddress,
    /// What opens it.
    pub credentials: Credentials,
}

/// The way to a store. Connections belong to the runtime that used them first, so whoever has a
/// runtime of its own opens one of its own.
#[derive(Clone)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    address: String,
}

impl FromStr for StoreAddress {
    type Err = ();

    fn from_str(text: &str) -> Result<StoreAddress, ()> {
        let text = text.trim_end_matches('/').to_owned();
        let clean = |text: &str| {
            !text.contains(|c: char| c.is_whitespace() || "?#@:".contains(c))
                && !text.contains("//")
        };
        if let Some(folder) = text.strip_prefix("file://") {
            let place = Place::Folder(PathBuf::from(folder));
            return if folder.starts_with('/') {
                Ok(StoreAddress { place, text })
            } else {
                Err(())
            };
        }
        let rest = text.strip_prefix("s3://").filter(|rest| clean(rest)).ok_or(())?;
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = Key::parse(prefix).ok().ok_or(())?;
        let place = Place::Bucket { name: name.to_owned(), prefix };
        if name.is_empty() { Err(()) } else { Ok(StoreAddress { place, text }) }
    }
}

impl StoreAddress {
    /// Whether it is a bucket: what that has taken is there for good, while a folder is not flushed.
    pub fn is_bucket(&self) -> bool {
        matches!(self.place, Place::Bucket { .. })
    }
}

impl fmt::Display for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Credentials {
    /// Of pairs of name and value; names that do not begin with `AWS_` are left out.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Credentials {
        let ours = |(name, value): &(String, String)| name.starts_with("AWS_") && !value.is_empty();
        Credentials(pairs.into_iter().filter(ours).collect())
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.iter().map(|(name, _)| name);
        f.debug_tuple("Credentials").field(&names.collect::<Vec<_>>()).finish()
    }
}

impl StoreSettings {
    /// Opens the way; asks nobody yet. A folder is made if it is not there.
    ///
    /// # Errors
    /// When the credentials do not make sense or the folder cannot be made.
    pub fn open(&self) -> Result<Store, object_store::Error> {
        let objects: Arc<dyn ObjectStore> = match &self.address.place {
            Place::Folder(folder) => {
                let failed = |error| object_store::Error::Generic {
                    store: "LocalFileSystem",
                    source: Box::new(error),
                };
                std::fs::create_dir_all(folder).map_err(failed)?;
                Arc::new(LocalFileSystem::new_with_prefix(folder)?)
            }
            Place::Bucket { name, prefix } => {
                let mut builder = AmazonS3Builder::new();
                for (name, value) in &self.credentials.0 {
                    if let Ok(key) = name.to_ascii_lowercase().parse() {
                        builder = builder.with_config(key, value);
                    }
                }
                let retry = RetryConfig {
                    backoff: BackoffConfig::default(),
                    max_retries: RETRIES,
                    retry_timeout: PATIENCE,
                };
                let bucket = builder.with_bucket_name(name).with_retry(retry).build()?;
                Arc::new(PrefixStore::new(bucket, prefix.clone()))
            }
        };
        Ok(Store { objects, address: self.address.to_string() })
    }
}

// What is behind it would show what opens it.
impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.address).finish()
    }
}

impl Store {
    /// What is in it, by path below the data folder.
    pub fn objects(&self) -> &Arc<dyn ObjectStore> {
        &self.objects
    }

    /// Where it is, as configured.
    pub fn address(&self) -> &str {
        &self.address
    }

    #[cfg(test)]
    pub(in super::super) fn of(objects: Arc<dyn ObjectStore>) -> Store {
        Store { objects, address: "memory:".to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in ["s3://city", "s3://city/twin", "s3://city/a/b/", "file:///var/archive"] {
            let address: StoreAddress = good.parse().unwrap();
            assert_eq!(address.to_string(), good.trim_end_matches('/'));
        }
        for bad in [
            "",
            "city",
            "s3://",
            "s3:///x",
            "http://a/b",
            "file://x/y",
            "s3://a b",
            "s3://u:p@a/b",
            "s3://a//b",
            "s3://a?b=c",
        ] {
            assert!(bad.parse::<StoreAddress>().is_err(), "{bad}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let pairs = [
            pair("AWS_ACCESS_KEY_ID", "hush"),
            pair("AWS_SECRET_ACCESS_KEY", "hush"),
            pair("HOME", "x"),
            pair("AWS_A", ""),
        ];
        let credentials = Credentials::new(pairs);
        let names = "Credentials([\"AWS_ACCESS_KEY_ID\", \"AWS_SECRET_ACCESS_KEY\"])";
        assert_eq!(format!("{credentials:?}"), names);
        let address = "s3://city/twin".parse().unwrap();
        let store = StoreSettings { address, credentials }.open().unwrap();
        assert!(!format!("{store:?}").contains("hush"));
    }
}
