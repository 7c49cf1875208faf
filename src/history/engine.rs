//! Where questions are answered: on a few threads of history's own, with memory of its own, so that
//! the doors and the dataflow go on whatever is asked.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, FieldRef, SchemaRef};
use citytwin_core::time::Epoch;
use citytwin_ingest::archive::{Catalogue, Store, View};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::context::SessionState;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use futures::StreamExt as _;
use tokio::runtime::{self, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::answer::{Answer, WAITING};
use super::as_of::Moment;
use super::error::HistoryError;
use super::files::{self, Leniency};
use super::functions;
use super::grouping::GroupByViews;
use super::session::{self, Question, Scene};
use crate::background::step_back;

/// Questions that may wait for a turn, for each that may run.
const LINE: usize = 16;
/// How long the archive may be behind the city for a question that needs it.
const WAIT_FOR_ARCHIVE: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Largest consumers of memory that an error names.
const NAMED_CONSUMERS: std::num::NonZeroUsize = std::num::NonZeroUsize::new(3).expect("not 0");

/// What history may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Threads.
    pub threads: usize,
    /// Memory of all queries together, bytes; past it they sort and group on disk.
    pub memory: usize,
    /// Queries at once; others wait.
    pub queries: usize,
    /// Folder for what does not fit into memory; emptied at the start.
    pub spill: PathBuf,
    /// Bytes that may lie there.
    pub spill_bytes: u64,
    /// Length of the stored windows, ms.
    pub window_ms: i64,
    /// Of the dataflow: how long all sensors may be silent, ms, before arrival moves the watermark.
    pub idle_after_ms: i64,
    /// Of the dataflow: resolution of home shards.
    pub shard_resolution: h3o::Resolution,
}

/// Answers questions about the past.
pub struct History {
    catalogue: Arc<Catalogue>,
    base: SessionState,
    /// Until dropped: a runtime may not be waited for by a task.
    threads: Option<Runtime>,
    turns: Arc<Semaphore>,
    line: Arc<Semaphore>,
    settings: Settings,
}

impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("History").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Drop for History {
    fn drop(&mut self) {
        if let Some(threads) = self.threads.take() {
            threads.shutdown_background();
        }
    }
}

impl History {
    /// Over the views of a catalogue, of which some files may be in a store only.
    ///
    /// # Errors
    /// When threads or the folder for spilling are not to be had.
    pub fn open(
        catalogue: Arc<Catalogue>,
        store: Option<Store>,
        settings: Settings,
    ) -> Result<History, HistoryError> {
        let broken = |error: std::io::Error| {
            HistoryError::Internal(format!("{}: {error}", settings.spill.display()))
        };
        if settings.spill.exists() {
            std::fs::remove_dir_all(&settings.spill).map_err(broken)?;
        }
        std::fs::create_dir_all(&settings.spill).map_err(broken)?;
        let pool = TrackConsumersPool::new(FairSpillPool::new(settings.memory), NAMED_CONSUMERS);
        let disk = DiskManagerBuilder::default()
            .with_mode(DiskManagerMode::Directories(vec![settings.spill.clone()]))
            .with_max_temp_directory_size(settings.spill_bytes);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(pool))
            .with_disk_manager_builder(disk)
            .build_arc()?;
        if let Some(store) = store {
            files::register(&runtime, &store)?;
        }
        let mut base = SessionStateBuilder::new()
            .with_config(session::config(settings.threads))
            .with_runtime_env(runtime)
            .with_default_features()
            .with_optimizer_rule(Arc::new(GroupByViews))
            .build();
        functions::register(&mut base)?;
        let threads = runtime::Builder::new_multi_thread()
            .worker_threads(settings.threads)
            .enable_all()
            .thread_name("history")
            .on_thread_start(step_back)
            .build()
            .map_err(broken)?;
        Ok(History {
            catalogue,
            base,
            threads: Some(threads),
            turns: Arc::new(Semaphore::new(settings.queries)),
            line: Arc::new(Semaphore::new(settings.queries * (LINE + 1))),
            settings,
        })
    }

    /// The newest view.
    pub fn view(&self) -> Arc<View> {
        self.catalogue.view()
    }

    /// Waits until the newest view has come to an epoch that the city has closed: the archive
    /// follows within milliseconds, unless it waits for the disk.
    ///
    /// # Errors
    /// When it does not come that far within five seconds.
    pub async fn reach(&self, epoch: Epoch) -> Result<(), HistoryError> {
        let comes = async {
            while self.view().through() < epoch {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let late = |_late| HistoryError::Behind { wanted: epoch, through: self.view().through() };
        tokio::time::timeout(WAIT_FOR_ARCHIVE, comes).await.map_err(late)
    }

    /// What it may use.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Answers a question as of the newest view. Comes back when the plan is made; rows follow.
    ///
    /// # Errors
    /// When the question is wrong, too many wait, or a file is damaged.
    pub async fn ask(&self, question: Question) -> Result<Answer, HistoryError> {
        self.ask_of(self.view(), question).await
    }

    /// The same, as of a view that the caller has.
    ///
    /// # Errors
    /// As [`History::ask`].
    pub async fn ask_of(
        &self,
        view: Arc<View>,
        question: Question,
    ) -> Result<Answer, HistoryError> {
        let busy = |_full| HistoryError::Busy(self.settings.queries);
        let place = Arc::clone(&self.line).try_acquire_owned().map_err(busy)?;
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let turn = turn.map_err(|closed| HistoryError::Internal(closed.to_string()))?;
        let scene = self.scene(view, &question).await?;
        self.start(scene, question, vec![place, turn]).await
    }

    /// Answers at once: for a part of an answer that has its turn.
    pub(super) async fn ask_now(
        &self,
        view: Arc<View>,
        question: Question,
    ) -> Result<Answer, HistoryError> {
        let snapshot = Arc::clone(view.snapshot());
        let window_ms = self.settings.window_ms;
        let scene = Scene { view, snapshot, known: None, window_ms };
        self.start(scene, question, Vec::new()).await
    }

    /// What a question sees.
    async fn scene(&self, view: Arc<View>, question: &Question) -> Result<Scene, HistoryError> {
        let known = question.known_at.filter(|known| *known < view.through());
        let moment =
            Moment { event_time: None, known_at: known, allow_partial: question.allow_partial };
        let snapshot = self.as_of_view(&view, moment).await?.snapshot;
        Ok(Scene { view, snapshot, known, window_ms: self.settings.window_ms })
    }

    /// Plans and runs on history's threads. The permits and the files of the view are kept until
    /// the last row is taken.
    async fn start(
        &self,
        scene: Scene,
        question: Question,
        permits: Vec<OwnedSemaphorePermit>,
    ) -> Result<Answer, HistoryError> {
        let (rows, batches) = mpsc::channel(WAITING);
        let (told, planned) = oneshot::channel();
        let base = self.base.clone();
        self.run(async move {
            let leniency =
                if question.allow_partial { Leniency::partial() } else { Leniency::default() };
            let through = scene.known.unwrap_or(scene.view.through());
            let opened = open(&base, &scene, &question, &leniency).await;
            let opened = opened.map(|stream| {
                let (schema, left_out) = (stream.schema(), leniency.left_out());
                (stream, Answer { schema, through, left_out, batches })
            });
            match opened {
                Ok((stream, answer)) => {
                    // If nobody waits any more there is nothing to do.
                    if told.send(Ok(answer)).is_ok() {
                        pour(stream, rows).await;
                    }
                }
                Err(error) => drop(told.send(Err(error))),
            }
            drop((scene, permits));
        });
        planned.await.map_err(|_gone| HistoryError::Internal("the query panicked".to_owned()))?
    }

    /// The columns of an answer, and its parameters in order, without running it.
    ///
    /// # Errors
    /// When the question is wrong.
    pub async fn describe(
        &self,
        question: &Question,
    ) -> Result<(SchemaRef, Vec<FieldRef>), HistoryError> {
        let view = self.view();
        let snapshot = Arc::clone(view.snapshot());
        let scene = Scene { view, snapshot, known: None, window_ms: self.settings.window_ms };
        let context = session::session(&self.base, &scene, question, &Leniency::partial())?;
        let frame = session::frame(&context, question).await?;
        let schema = Arc::new(frame.schema().as_arrow().clone());
        let parameters = frame.logical_plan().get_parameter_fields()?;
        let mut parameters: Vec<_> = parameters.into_iter().collect();
        parameters.sort_by_key(|(name, _)| name.trim_start_matches('$').parse::<u32>().ok());
        let unknown = |name| Arc::new(Field::new(name, DataType::Utf8, true));
        let fields =
            parameters.into_iter().map(|(name, field)| field.unwrap_or_else(|| unknown(name)));
        Ok((schema, fields.collect()))
    }

    /// Names and columns of all tables, in order of name.
    ///
    /// # Errors
    /// A fault of ours.
    pub fn tables(&self) -> Result<Vec<(String, SchemaRef)>, HistoryError> {
        let view = self.view();
        let snapshot = Arc::clone(view.snapshot());
        let scene = Scene { view, snapshot, known: None, window_ms: self.settings.window_ms };
        let mut all = session::tables(&scene, &Leniency::partial())?;
        all.sort_by_key(|(name, _)| *name);
        Ok(all.into_iter().map(|(name, table)| (name.to_owned(), table.schema())).collect())
    }

    /// Runs work on history's threads.
    pub(super) fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.threads.as_ref().expect("there until it is dropped").spawn(work)
    }
}

async fn open(
    base: &SessionState,
    scene: &Scene,
    question: &Question,
    leniency: &Leniency,
) -> Result<SendableRecordBatchStream, HistoryError> {
    let context = session::session(base, scene, question, leniency)?;
    let frame = session::frame(&context, question).await?;
    Ok(frame.execute_stream().await?)
}

/// Sends batches until the end, an error, or nobody takes them.
async fn pour(
    mut stream: SendableRecordBatchStream,
    rows: mpsc::Sender<Result<RecordBatch, HistoryError>>,
) {
    loop {
        let batch = tokio::select! {
            batch = stream.next() => batch,
            () = rows.closed() => return,
        };
        let Some(batch) = batch else { return };
        let batch = batch.map_err(HistoryError::from);
        let failed = batch.is_err();
        if rows.send(batch).await.is_err() || failed {
            return;
        }
    }
}
