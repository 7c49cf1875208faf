//! The Delta log of one table: read once, then written commit by commit, each whole or not there.
//!
//! One process writes it. Somebody else's commits are found, and undone by the next of ours where
//! they changed which files belong to the table.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::temporal_conversions::timestamp_ms_to_datetime;
use citytwin_core::time::{Epoch, EventTime};
use serde_json::json;

use super::super::depot::Depot;
use super::super::error::ArchiveError;
use super::super::file::ArchiveFile;
use super::super::folder::Found;
use super::super::partition::{Table, date_of};
use super::action::{self, Add, CommitInfo, Format, Line, MetaData, Remove, Txn};
use super::{checkpoint, schema};

/// Who commits.
const APP_ID: &str = "citytwin";
/// Commits from one checkpoint to the next.
const CHECKPOINT_EVERY: u64 = if cfg!(test) { 4 } else { 100 };
/// How often a commit is tried when others commit meanwhile.
const TRIES: usize = 3;

/// The Delta log of one table.
#[derive(Debug)]
pub(in super::super) struct Log {
    table: Table,
    /// Of the newest commit.
    version: Option<u64>,
    /// The last epoch that it reached.
    through: Epoch,
    meta_data: Option<MetaData>,
    /// The files of the table, by path below its folder.
    live: BTreeMap<String, Add>,
    /// Versions of the checkpoints that are there.
    checkpoints: Vec<u64>,
}

/// What a commit changes.
#[derive(Debug, Default)]
struct Change {
    add: Vec<Add>,
    remove: Vec<Remove>,
}

/// The files of a log that say how the table is now.
#[derive(Debug, Default)]
struct Texts {
    checkpoints: Vec<u64>,
    /// The newest checkpoint.
    newest: Option<(u64, Vec<u8>)>,
    /// Behind it, in order.
    commits: Vec<(u64, Vec<u8>)>,
}

impl Log {
    /// Reads the log of a table. One that is damaged is removed and begun anew.
    ///
    /// # Errors
    /// When the depot fails: nothing is removed then.
    pub(in super::super) fn open(depot: &mut dyn Depot, table: Table) -> Result<Log, ArchiveError> {
        let found = depot.list(&home(table))?;
        let texts = Texts::read(depot, table, &found)?;
        match Log::read(table, texts) {
            Ok(log) => Ok(log),
            Err(error) => {
                let what = table.name();
                tracing::warn!(table = what, %error, "a Delta log does not read: it is made anew");
                for file in &found {
                    depot.remove(file)?;
                }
                Ok(Log::empty(table))
            }
        }
    }

    fn empty(table: Table) -> Log {
        Log {
            table,
            version: None,
            through: Epoch::ZERO,
            meta_data: None,
            live: BTreeMap::new(),
            checkpoints: Vec::new(),
        }
    }

    fn read(table: Table, texts: Texts) -> io::Result<Log> {
        let mut log = Log { checkpoints: texts.checkpoints, ..Log::empty(table) };
        if let Some((newest, file)) = texts.newest {
            let lines = checkpoint::decode(file).map_err(io::Error::other)?;
            log.absorb(action::parse(&lines)?);
            log.version = Some(newest);
        }
        for (version, lines) in texts.commits {
            if version != log.next() {
                let missing = format!("commit {} is missing", log.next());
                return Err(io::Error::other(missing));
            }
            log.absorb(action::parse(&lines)?);
            log.version = Some(version);
        }
        Ok(log)
    }

    fn absorb(&mut self, lines: Vec<Line>) {
        for line in lines {
            if let Some(meta_data) = line.meta_data {
                self.meta_data = Some(meta_data);
            }
            if let Some(txn) = line.txn.filter(|txn| txn.app_id == APP_ID) {
                self.through = self.through.max(Epoch::new(txn.version.cast_unsigned()));
            }
            if let Some(add) = line.add {
                self.live.insert(add.path.clone(), add);
            }
            if let Some(remove) = line.remove {
                self.live.remove(&remove.path);
            }
        }
    }

    pub(in super::super) const fn table(&self) -> Table {
        self.table
    }

    /// The last epoch that the table reached.
    pub(in super::super) const fn through(&self) -> Epoch {
        self.through
    }

    /// The files of the table: paths below its folder, and bytes.
    pub(in super::super) fn files(&self) -> impl Iterator<Item = (&str, u64)> {
        self.live.iter().map(|(path, add)| (path.as_str(), add.size.cast_unsigned()))
    }

    /// Whether a file belongs to the table, as it is.
    pub(in super::super) fn names(&self, file: &ArchiveFile) -> bool {
        self.live
            .get(&path_of(file))
            .is_some_and(|known| known.size.cast_unsigned() == file.bytes())
    }

    fn next(&self) -> u64 {
        self.version.map_or(0, |version| version + 1)
    }

    /// Commits what takes the table to these files.
    ///
    /// # Errors
    /// When the depot fails. If it is not known whether the commit is there, the next call finds
    /// out.
    pub(in super::super) fn follow(
        &mut self,
        depot: &mut dyn Depot,
        files: &[Arc<ArchiveFile>],
    ) -> Result<(), ArchiveError> {
        for _ in 0..TRIES {
            let lines = self.commit(files);
            if lines.is_empty() {
                return Ok(());
            }
            let (version, text) = (self.next(), self.print(&lines)?);
            if depot.create(&commit_path(self.table, version), &text)? {
                self.absorb(lines);
                self.version = Some(version);
                if version > 0 && version.is_multiple_of(CHECKPOINT_EVERY) {
                    self.checkpoint(depot, version)?;
                }
                return Ok(());
            }
            // A store may have taken a commit of ours and its answer have been lost.
            if depot.read(&commit_path(self.table, version))? != text {
                let what = self.table.name();
                tracing::warn!(
                    table = what,
                    "somebody else wrote to a Delta log: what it did is undone"
                );
            }
            *self = Log::open(depot, self.table)?;
        }
        let path = commit_path(self.table, self.next());
        Err(ArchiveError::io("write", &path, io::ErrorKind::AlreadyExists.into()))
    }

    /// The lines of the commit that takes the table to these files; none when it has them.
    fn commit(&self, files: &[Arc<ArchiveFile>]) -> Vec<Line> {
        let schema = schema::schema(self.table);
        let is_described =
            self.meta_data.as_ref().is_some_and(|known| known.schema_string == schema);
        let through = files.last().map_or(self.through, |file| file.last().max(self.through));
        let change = self.change(files, through);
        if is_described && change.add.is_empty() && change.remove.is_empty() {
            return Vec::new();
        }
        let mut lines = vec![Line::of_info(info(&change, self.through, through))];
        if !is_described {
            lines.push(Line::of_protocol());
            lines.push(Line::of_meta_data(self.described(schema, through)));
        }
        lines.push(Line::of_txn(txn(through)));
        lines.extend(change.remove.into_iter().map(Line::of_remove));
        lines.extend(change.add.into_iter().map(Line::of_add));
        lines
    }

    /// What takes the table to these files, which reach through an epoch.
    fn change(&self, files: &[Arc<ArchiveFile>], through: Epoch) -> Change {
        let mut gone: BTreeMap<&str, &Add> =
            self.live.iter().map(|(path, add)| (path.as_str(), add)).collect();
        let mut add = Vec::new();
        for file in files {
            let path = path_of(file);
            let known = gone.remove(path.as_str());
            if known.is_none_or(|known| known.size.cast_unsigned() != file.bytes()) {
                add.push(added(file, path));
            }
        }
        let mut change = Change { add, remove: Vec::new() };
        for (path, was) in gone {
            let moved_to = change.add.iter_mut().find(|add| self.is_within(path, &add.path));
            let data_change = moved_to.is_none();
            if let Some(merged) = moved_to {
                merged.data_change = false;
            }
            change.remove.push(Remove {
                path: path.to_owned(),
                deletion_timestamp: Some(through.end().ms()),
                data_change,
                extended_file_metadata: Some(true),
                partition_values: Some(was.partition_values.clone()),
                size: Some(was.size),
            });
        }
        change
    }

    /// Whether the epochs of one file lie within those of another.
    fn is_within(&self, one: &str, other: &str) -> bool {
        let epochs = |path: &str| Some(Table::parse(&self.table.folder().join(path))?.1);
        let both = epochs(one).zip(epochs(other));
        both.is_some_and(|(one, other)| other.0 <= one.0 && one.1 <= other.1)
    }

    fn described(&self, schema_string: String, through: Epoch) -> MetaData {
        let made = through.end().ms();
        let (table, before) = (self.table.name(), self.meta_data.as_ref());
        let id = before.map_or_else(|| id(table, made), |before| before.id.clone());
        let configuration = [
            ("delta.checkpointInterval", CHECKPOINT_EVERY.to_string()),
            ("delta.logRetentionDuration", "interval 1 days".to_owned()),
        ];
        let configuration = configuration.map(|(key, value)| (key.to_owned(), value));
        MetaData {
            id,
            name: Some(table.replace('-', "_")),
            format: Format::default(),
            schema_string,
            partition_columns: vec![schema::DATE.to_owned()],
            configuration: configuration.into(),
            created_time: Some(before.and_then(|before| before.created_time).unwrap_or(made)),
        }
    }

    /// Writes all that holds as one file; commits and checkpoints before the checkpoint before go.
    fn checkpoint(&mut self, depot: &mut dyn Depot, version: u64) -> Result<(), ArchiveError> {
        let mut lines = vec![Line::of_protocol()];
        lines.extend(self.meta_data.clone().map(Line::of_meta_data));
        lines.push(Line::of_txn(txn(self.through)));
        let files = self.live.values().cloned();
        lines.extend(files.map(|add| Line::of_add(Add { data_change: false, ..add })));
        let file = checkpoint::encode(&self.print(&lines)?).map_err(|source| {
            ArchiveError::Encode { table: self.table.name(), source: source.into() }
        })?;
        depot.write(&checkpoint_path(self.table, version), &file)?;
        let last = json!({"version": version, "size": lines.len()}).to_string();
        depot.write(&home(self.table).join("_last_checkpoint"), last.as_bytes())?;
        let needed_from = self.checkpoints.last().copied().unwrap_or(0);
        for old in depot.list(&home(self.table))? {
            let at = version_of(&old.path, ".json").or(version_of(&old.path, CHECKPOINT));
            if at.is_some_and(|at| at < needed_from) {
                depot.remove(&old)?;
            }
        }
        self.checkpoints.retain(|at| *at >= needed_from);
        self.checkpoints.push(version);
        Ok(())
    }

    fn print(&self, lines: &[Line]) -> Result<Vec<u8>, ArchiveError> {
        action::print(lines).map_err(|source| {
            ArchiveError::io("describe", &commit_path(self.table, self.next()), source.into())
        })
    }
}

impl Texts {
    /// Reads what is needed of the files that were found.
    fn read(depot: &mut dyn Depot, table: Table, found: &[Found]) -> Result<Texts, ArchiveError> {
        let mut texts = Texts::default();
        let mut commits = Vec::new();
        for file in found {
            match (version_of(&file.path, ".json"), version_of(&file.path, CHECKPOINT)) {
                (Some(version), _) => commits.push(version),
                (_, Some(version)) => texts.checkpoints.push(version),
                (None, None) => {}
            }
        }
        commits.sort_unstable();
        texts.checkpoints.sort_unstable();
        let newest = texts.checkpoints.last().copied();
        if let Some(newest) = newest {
            texts.newest = Some((newest, depot.read(&checkpoint_path(table, newest))?));
        }
        for version in commits.into_iter().filter(|version| Some(*version) > newest) {
            texts.commits.push((version, depot.read(&commit_path(table, version))?));
        }
        Ok(texts)
    }
}

const CHECKPOINT: &str = ".checkpoint.parquet";

fn home(table: Table) -> PathBuf {
    table.folder().join("_delta_log")
}

fn commit_path(table: Table, version: u64) -> PathBuf {
    home(table).join(format!("{version:020}.json"))
}

fn checkpoint_path(table: Table, version: u64) -> PathBuf {
    home(table).join(format!("{version:020}{CHECKPOINT}"))
}

fn version_of(path: &Path, ending: &str) -> Option<u64> {
    path.file_name()?.to_str()?.strip_suffix(ending)?.parse().ok()
}

fn txn(through: Epoch) -> Txn {
    let version = through.number().cast_signed();
    Txn { app_id: APP_ID.to_owned(), version, last_updated: Some(through.end().ms()) }
}

fn info(change: &Change, before: Epoch, through: Epoch) -> CommitInfo {
    let brings = change.add.iter().any(|add| add.data_change);
    let operation = match (brings, change.add.is_empty(), change.remove.is_empty()) {
        (true, _, _) | (_, true, true) => "WRITE",
        (false, true, false) => "DELETE",
        (false, false, _) => "OPTIMIZE",
    };
    let from = before.next().min(through);
    let parameters = [("firstEpoch", from.to_string()), ("lastEpoch", through.to_string())];
    CommitInfo {
        timestamp: through.end().ms(),
        operation: operation.to_owned(),
        operation_parameters: parameters.map(|(key, value)| (key.to_owned(), json!(value))).into(),
        is_blind_append: change.remove.is_empty(),
        engine_info: concat!("citytwin/", env!("CARGO_PKG_VERSION")).to_owned(),
    }
}

/// The path of a file below the folder of its table.
fn path_of(file: &ArchiveFile) -> String {
    format!("{}={}/{}", schema::DATE, date_of(file.last()), file.name())
}

/// A file as it enters the table. What its footer says goes along; where it does not read, readers
/// are to find that out by themselves.
fn added(file: &ArchiveFile, path: String) -> Add {
    let date = Some(date_of(file.last()));
    Add {
        path,
        partition_values: [(schema::DATE.to_owned(), date)].into(),
        size: file.bytes().cast_signed(),
        modification_time: file.last().end().ms(),
        data_change: true,
        stats: statistics(file),
    }
}

fn statistics(file: &ArchiveFile) -> Option<String> {
    let bounds = file.bounds().ok()?;
    let mut stats = json!({"numRecords": bounds.rows});
    if let Some((name, (first, last))) = file.table().time_column().zip(bounds.event_times) {
        stats["minValues"] = json!({ name: iso(first) });
        stats["maxValues"] = json!({ name: iso(last) });
        stats["nullCount"] = json!({ name: 0 });
    }
    Some(stats.to_string())
}

/// A time as the protocol writes it: ISO 8601, UTC.
fn iso(time: EventTime) -> Option<String> {
    Some(format!("{:?}Z", timestamp_ms_to_datetime(time.ms())?))
}

/// A name for the table that no other has: of when it began, and of what.
fn id(table: &str, made_ms: i64) -> String {
    let name = crc32fast::hash(table.as_bytes());
    let made = made_ms.cast_unsigned();
    let mix = crc32fast::hash(&made.to_le_bytes());
    format!(
        "{name:08x}-{:04x}-8{:03x}-8{:03x}-{made:012x}",
        mix >> 16,
        mix & 0xfff,
        (mix >> 4) & 0xfff
    )
}
