//! The lines of a Delta log, as its protocol names them (PROTOCOL.md of delta-io/delta, "Actions").
//! What other writers add to them is passed over when they are read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One line: exactly one of these is there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Line {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) commit_info: Option<CommitInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) protocol: Option<Protocol>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) meta_data: Option<MetaData>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) txn: Option<Txn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) add: Option<Add>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remove: Option<Remove>,
}

/// Why a commit was made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct CommitInfo {
    pub(super) timestamp: i64,
    pub(super) operation: String,
    pub(super) operation_parameters: BTreeMap<String, serde_json::Value>,
    pub(super) is_blind_append: bool,
    pub(super) engine_info: String,
}

/// What a reader and a writer must know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Protocol {
    pub(super) min_reader_version: i32,
    pub(super) min_writer_version: i32,
}

/// The table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MetaData {
    pub(super) id: String,
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) format: Format,
    pub(super) schema_string: String,
    pub(super) partition_columns: Vec<String>,
    #[serde(default)]
    pub(super) configuration: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) created_time: Option<i64>,
}

/// How its files are encoded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Format {
    pub(super) provider: String,
    #[serde(default)]
    pub(super) options: BTreeMap<String, String>,
}

impl Default for Format {
    fn default() -> Format {
        Format { provider: "parquet".to_owned(), options: BTreeMap::new() }
    }
}

/// How far a writer has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Txn {
    pub(super) app_id: String,
    pub(super) version: i64,
    #[serde(default)]
    pub(super) last_updated: Option<i64>,
}

/// A file that belongs to the table from now on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Add {
    pub(super) path: String,
    #[serde(default)]
    pub(super) partition_values: BTreeMap<String, Option<String>>,
    pub(super) size: i64,
    pub(super) modification_time: i64,
    pub(super) data_change: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stats: Option<String>,
}

/// A file that does so no longer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Remove {
    pub(super) path: String,
    #[serde(default)]
    pub(super) deletion_timestamp: Option<i64>,
    #[serde(default)]
    pub(super) data_change: bool,
    #[serde(default)]
    pub(super) extended_file_metadata: Option<bool>,
    #[serde(default)]
    pub(super) partition_values: Option<BTreeMap<String, Option<String>>>,
    #[serde(default)]
    pub(super) size: Option<i64>,
}

impl Line {
    pub(super) fn of_info(info: CommitInfo) -> Line {
        Line { commit_info: Some(info), ..Line::default() }
    }

    pub(super) fn of_protocol() -> Line {
        // The oldest: partitions and statistics are all that our tables use.
        let protocol = Protocol { min_reader_version: 1, min_writer_version: 2 };
        Line { protocol: Some(protocol), ..Line::default() }
    }

    pub(super) fn of_meta_data(meta_data: MetaData) -> Line {
        Line { meta_data: Some(meta_data), ..Line::default() }
    }

    pub(super) fn of_txn(txn: Txn) -> Line {
        Line { txn: Some(txn), ..Line::default() }
    }

    pub(super) fn of_add(add: Add) -> Line {
        Line { add: Some(add), ..Line::default() }
    }

    pub(super) fn of_remove(remove: Remove) -> Line {
        Line { remove: Some(remove), ..Line::default() }
    }
}

/// Lines as they are in a file: JSON, one below the other.
pub(super) fn print(lines: &[Line]) -> Result<Vec<u8>, serde_json::Error> {
    let mut text = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut text, line)?;
        text.push(b'\n');
    }
    Ok(text)
}

/// The lines of a file.
pub(super) fn parse(text: &[u8]) -> Result<Vec<Line>, serde_json::Error> {
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(serde_json::from_slice).collect()
}
