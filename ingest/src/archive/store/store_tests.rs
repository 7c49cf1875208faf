//! The store's Delta tables as a stranger reads them, before every request to the store: every row
//! through the epoch that a table names, once, and nothing named that is not there; whatever fails,
//! whenever the process dies.

use std::fmt;
use std::path::Path as FilePath;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt as _;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path as Key;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result as StoreResult,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use super::super::super::away::tests::check_everything;
use super::super::super::city_tests::Step as Life;
use super::super::super::compact::tests::{days, plans, start, steps, written};
use super::super::super::delta::tests::{expected, leave, rest};
use super::super::super::plain_tests::lines;
use super::super::super::tests::{run, temporary};
use super::super::super::{Archive, Retention};
use super::*;

const NEVER: Epoch = Epoch::new(u64::MAX);

pub(in super::super::super) static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(1).build().unwrap());

/// What becomes of requests.
#[derive(Clone, Copy, Debug)]
struct Weather {
    /// Every so many requests fail; none if 0.
    fails_every: usize,
    /// Whether a request that fails is carried out all the same and only its answer is lost.
    loses_answers: bool,
    /// From this request on all fail, and none is carried out: the process has died.
    dies_at: usize,
    /// Before every so many requests a stranger reads all tables.
    watched_every: usize,
}

const FAIR: Weather =
    Weather { fails_every: 0, loses_answers: false, dies_at: usize::MAX, watched_every: 1 };

/// A store in memory that is watched.
#[derive(Debug)]
struct Watched {
    memory: Arc<InMemory>,
    life: Vec<Life>,
    weather: Weather,
    requests: AtomicUsize,
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("watched memory")
    }
}

fn failure(what: &'static str) -> Error {
    Error::Generic { store: "watched memory", source: what.into() }
}

impl Watched {
    async fn request<T>(&self, work: impl Future<Output = StoreResult<T>>) -> StoreResult<T> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        if number.is_multiple_of(self.weather.watched_every) {
            check(&self.memory, &self.life).await;
        }
        if number >= self.weather.dies_at {
            return Err(failure("the process is dead"));
        }
        let fails = self.weather.fails_every > 0 && number.is_multiple_of(self.weather.fails_every);
        if fails && !self.weather.loses_answers {
            return Err(failure("out of order"));
        }
        let done = work.await?;
        if fails { Err(failure("the answer was lost")) } else { Ok(done) }
    }
}

#[async_trait]
impl ObjectStore for Watched {
    async fn put_opts(
        &self,
        path: &Key,
        bytes: PutPayload,
        options: PutOptions,
    ) -> StoreResult<PutResult> {
        self.request(self.memory.put_opts(path, bytes, options)).await
    }

    async fn put_multipart_opts(
        &self,
        path: &Key,
        options: PutMultipartOptions,
    ) -> StoreResult<Box<dyn MultipartUpload>> {
        self.request(self.memory.put_multipart_opts(path, options)).await
    }

    async fn get_opts(&self, path: &Key, options: GetOptions) -> StoreResult<GetResult> {
        self.request(self.memory.get_opts(path, options)).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, StoreResult<Key>>,
    ) -> BoxStream<'static, StoreResult<Key>> {
        self.memory.delete_stream(paths)
    }

    fn list(&self, below: Option<&Key>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        self.memory.list(below)
    }

    async fn list_with_delimiter(&self, below: Option<&Key>) -> StoreResult<ListResult> {
        self.request(self.memory.list_with_delimiter(below)).await
    }

    async fn copy_opts(&self, from: &Key, to: &Key, options: CopyOptions) -> StoreResult<()> {
        self.request(self.memory.copy_opts(from, to, options)).await
    }
}

pub(in super::super::super) async fn get(memory: &InMemory, path: &str) -> Option<Bytes> {
    match memory.get(&Key::from(path)).await {
        Err(Error::NotFound { .. }) => None,
        found => Some(found.unwrap().bytes().await.unwrap()),
    }
}

/// What the log of a table names, as its protocol has it read: the epoch it reached, and paths.
async fn told(memory: &InMemory, table: Table) -> Option<(u64, BTreeSet<String>)> {
    let home = table.folder().display().to_string();
    let log = format!("{home}/_delta_log");
    let (mut text, mut version) = (Vec::new(), 0);
    if let Some(last) = get(memory, &format!("{log}/_last_checkpoint")).await {
        let last: Value = serde_json::from_slice(&last).unwrap();
        let newest = last["version"].as_u64().unwrap();
        let file = get(memory, &format!("{log}/{newest:020}.checkpoint.parquet")).await.unwrap();
        text.extend(super::super::super::delta::tests::decode(file.to_vec()));
        version = newest + 1;
    }
    while let Some(commit) = get(memory, &format!("{log}/{version:020}.json")).await {
        text.extend_from_slice(&commit);
        version += 1;
    }
    if text.is_empty() {
        return None;
    }
    let (mut through, mut files) = (0, BTreeSet::new());
    for line in String::from_utf8(text).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if let Some(path) = line["add"]["path"].as_str() {
            files.insert(format!("{home}/{path}"));
        }
        if let Some(path) = line["remove"]["path"].as_str() {
            assert!(files.remove(&format!("{home}/{path}")), "{path} was not there");
        }
        through = line["txn"]["version"].as_u64().unwrap_or(through);
    }
    Some((through, files))
}

async fn found(memory: &InMemory, table: Table) -> Option<(u64, Vec<String>)> {
    let (through, files) = told(memory, table).await?;
    let mut rows = Vec::new();
    for path in files {
        let file = get(memory, &path).await.unwrap_or_else(|| panic!("{path} is not there"));
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
        rows.extend(reader.flat_map(|batch| lines(&batch.unwrap())));
    }
    rows.sort();
    Some((through, rows))
}

async fn check(memory: &InMemory, life: &[Life]) {
    for table in Table::ALL {
        if let Some((through, found)) = found(memory, table).await {
            assert_eq!(found, expected(life, table, through), "{table:?} through {through}");
        }
    }
}

/// Everything there is, is in the tables.
pub(in super::super::super) fn check_all(memory: &InMemory, life: &[Life]) {
    for table in Table::ALL {
        let found = RUNTIME.block_on(found(memory, table)).map(|(_, found)| found);
        assert_eq!(found.unwrap_or_default(), expected(life, table, u64::MAX), "{table:?}");
    }
}

/// Data files in the store, named or not.
fn objects(memory: &InMemory) -> BTreeSet<String> {
    let all = RUNTIME.block_on(memory.list(None).try_collect::<Vec<_>>()).unwrap();
    let paths = all.into_iter().map(|object| object.location.to_string());
    paths.filter(|path| Table::parse(FilePath::new(path)).is_some()).collect()
}

pub(in super::super::super) fn named(memory: &InMemory) -> BTreeSet<String> {
    let told = |table| RUNTIME.block_on(told(memory, table));
    Table::ALL.into_iter().filter_map(told).flat_map(|(_, files)| files).collect()
}

fn carrier(memory: &Arc<InMemory>, life: &[Life], weather: Weather) -> Carrier {
    let (memory, life) = (Arc::clone(memory), life.to_vec());
    let store = Watched { memory, life, weather, requests: AtomicUsize::new(0) };
    to(Arc::new(store), "0123", 0)
}

pub(in super::super::super) fn to(
    objects: Arc<dyn ObjectStore>,
    owner: &str,
    delay_ms: u32,
) -> Carrier {
    let way = (Store::of(objects), RUNTIME.handle().clone());
    Carrier::new(way, owner.to_owned(), delay_ms, CancellationToken::new())
}

pub(in super::super::super) fn carry(
    carrier: &mut Carrier,
    archive: &Archive,
) -> Result<Carried, ArchiveError> {
    carrier.carry(&archive.catalogue().view())
}

/// Lives through a part of a life, and carries now and then.
fn live(archive: &mut Archive, carrier: &mut Carrier, life: &[Life], every: usize) {
    for part in life.chunks(every) {
        run(archive, part).unwrap();
        carry(carrier, archive).ok();
    }
}

fn weather() -> impl Strategy<Value = Weather> {
    let fails_every = prop_oneof![1 => Just(0_usize), 3 => 2_usize..40];
    let all = (fails_every, prop::bool::ANY, 1_usize..200, 1_usize..6);
    all.prop_map(|(fails_every, loses_answers, dies_at, watched_every)| Weather {
        fails_every,
        loses_answers,
        dies_at,
        watched_every,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn every_row_once_whatever_fails(
        plans in plans(),
        at in 0_usize..30,
        storms in prop::collection::vec(weather(), 0..3),
        every in 1_usize..6,
    ) {
        let life = steps(plans);
        let (dir, memory) = (temporary(), Arc::new(InMemory::new()));
        for weather in storms {
            let mut archive = start(dir.path(), &life);
            let mut carrier = carrier(&memory, &life, weather);
            let rest = rest(&archive, &life);
            live(&mut archive, &mut carrier, &rest[..at.min(rest.len())], every);
            archive.keeper().compact_all(NEVER, || false, |_| ()).unwrap();
            carry(&mut carrier, &archive).ok();
            archive.keeper().send_away(NEVER, 0).unwrap();
            carry(&mut carrier, &archive).ok();
            RUNTIME.block_on(check(&memory, &life));
            leave(archive);
        }
        let mut archive = start(dir.path(), &life);
        let mut carrier = carrier(&memory, &life, FAIR);
        let rest = rest(&archive, &life);
        live(&mut archive, &mut carrier, &rest, every);
        carry(&mut carrier, &archive).unwrap();
        check_all(&memory, &life);
        archive.keeper().compact_all(NEVER, || false, |_| ()).unwrap();
        let done = carry(&mut carrier, &archive).unwrap();
        check_all(&memory, &life);
        prop_assert_eq!(done.left_out, 0);
        archive.keeper().send_away(NEVER, 0).unwrap();
        check_everything(&archive, &memory, &life);
        // Nobody else looks, so what left the tables is gone, and what was never in them.
        carry(&mut carrier, &archive).unwrap();
        prop_assert_eq!(objects(&memory), named(&memory));
        prop_assert_eq!(done.files, named(&memory).len() as u64);
    }
}

#[test]
fn what_did_not_change_asks_nothing() {
    let life = days();
    let (_dir, archive) = written(&life);
    let memory = Arc::new(InMemory::new());
    let mut carrier = carrier(&memory, &life, Weather { dies_at: 1_000, ..FAIR });
    let first = carry(&mut carrier, &archive).unwrap();
    for _ in 0..1_000 {
        assert_eq!(carry(&mut carrier, &archive).unwrap(), first);
    }
    check_all(&memory, &life);
}

#[test]
fn what_came_over_before_a_failure_does_not_come_again() {
    let life = days();
    let (_dir, archive) = written(&life);
    let files: usize =
        Table::ALL.map(|table| archive.catalogue().view().files(table).len()).iter().sum();
    let memory = Arc::new(InMemory::new());
    let mut tries = 0;
    // Each try gets a little further: all the others have done stays.
    while carry(&mut carrier(&memory, &life, Weather { dies_at: 14, ..FAIR }), &archive).is_err() {
        tries += 1;
        assert!(tries < files, "{tries}");
    }
    check_all(&memory, &life);
}

#[test]
fn a_store_has_one_owner() {
    let life = days();
    let (_dir, archive) = written(&life);
    let memory = Arc::new(InMemory::new());
    let objects: Arc<dyn ObjectStore> = Arc::clone(&memory) as _;
    carry(&mut to(Arc::clone(&objects), "0123", 0), &archive).unwrap();
    let (_other, empty) = written(&life[..1]);
    let mut stranger = to(Arc::clone(&objects), "4567", 0);
    let error = carry(&mut stranger, &empty).unwrap_err().to_string();
    assert!(error.starts_with("memory:/folder-id is of another data folder"), "{error}");
    check_all(&memory, &life);
    carry(&mut to(objects, "0123", 0), &archive).unwrap();
}

#[test]
fn what_leaves_stays_for_readers_of_older_versions() {
    let life = days();
    let (_dir, mut archive) = written(&life);
    let memory = Arc::new(InMemory::new());
    let mut carrier = to(Arc::clone(&memory) as _, "0123", 100_000);
    carry(&mut carrier, &archive).unwrap();
    let before = named(&memory);
    archive.keeper().compact_all(NEVER, || false, |_| ()).unwrap();
    carry(&mut carrier, &archive).unwrap();
    assert!(!before.is_subset(&named(&memory)));
    assert!(before.is_subset(&objects(&memory)));
    // One that is told anew what is there lets them stay as long again.
    carrier = to(Arc::clone(&memory) as _, "0123", 100_000);
    carry(&mut carrier, &archive).unwrap();
    assert!(before.is_subset(&objects(&memory)));
    let mut last = life.last().unwrap().0.clone();
    let epoch = Epoch::new(last.snapshot.epoch.number() + 1_000);
    last.snapshot = Arc::new(citytwin_core::twin::Snapshot {
        epoch,
        ..citytwin_core::twin::Snapshot::clone(&last.snapshot)
    });
    archive.take_with(&last, None::<&u64>).unwrap();
    carry(&mut carrier, &archive).unwrap();
    assert_eq!(objects(&memory), named(&memory));
}

#[test]
fn what_is_let_go_leaves_the_store() {
    let life = days();
    let (_dir, archive) = written(&life);
    let memory = Arc::new(InMemory::new());
    let mut carrier = to(Arc::clone(&memory) as _, "0123", 0);
    carry(&mut carrier, &archive).unwrap();
    let held = archive.catalogue().view();
    let kept = Retention { readings_ms: Some(1), ..Retention::default() };
    archive.keeper().retire_older(NEVER, kept).unwrap();
    carry(&mut carrier, &archive).unwrap();
    let readings = |paths: BTreeSet<String>| {
        paths.iter().filter(|path| path.starts_with("archive/readings/")).count()
    };
    let left = readings(named(&memory));
    assert!(left < 8, "{left}");
    // A view that names them may still be read from.
    assert_eq!(readings(objects(&memory)), 8);
    drop(held);
    carry(&mut carrier, &archive).unwrap();
    assert_eq!(readings(objects(&memory)), left);
}

#[test]
fn a_damaged_file_is_left_out_and_the_rest_goes_on() {
    let life = days();
    let (_dir, archive) = written(&life);
    let file = Arc::clone(&archive.catalogue().view().files(Table::Readings)[1]);
    let bytes = std::fs::read(file.path()).unwrap();
    std::fs::write(file.path(), &bytes[..bytes.len() / 2]).unwrap();
    let memory = Arc::new(InMemory::new());
    let done = carry(&mut to(Arc::clone(&memory) as _, "0123", 0), &archive).unwrap();
    assert_eq!(done.left_out, 1);
    assert_eq!(named(&memory).len() as u64, done.files);
    assert!(!objects(&memory).contains(&file.relative().display().to_string()));
}

#[test]
fn given_up_it_ends_at_once() {
    let (_dir, archive) = written(&days());
    let given_up = CancellationToken::new();
    given_up.cancel();
    let way = (Store::of(Arc::new(InMemory::new())), RUNTIME.handle().clone());
    let mut carrier = Carrier::new(way, "0123".to_owned(), 0, given_up);
    let error = carrier.carry(&archive.catalogue().view()).unwrap_err();
    assert_eq!(error.to_string(), "cannot write memory:/folder-id");
}
