//! A socket and what waits to be written to it. Reads go through one buffer a thread, so an idle
//! connection holds none; what is to be written is kept only until it is.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Most bytes taken in one read.
pub(super) const CHUNK_BYTES: usize = 64 << 10;

/// Room for answers that an idle connection may hold on to.
const IDLE_OUT_BYTES: usize = 512;

thread_local! {
    static CHUNK: RefCell<Vec<u8>> = RefCell::new(vec![0; CHUNK_BYTES]);
}

/// A socket, plain or TLS.
#[derive(Debug)]
pub(super) struct Wire<S> {
    stream: S,
    out: Vec<u8>,
    sent: usize,
    broken: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(super) fn new(stream: S) -> Wire<S> {
        Wire { stream, out: Vec::new(), sent: 0, broken: false }
    }

    /// Where answers go.
    pub(super) fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Whether everything was written.
    pub(super) fn is_written(&self) -> bool {
        self.out.is_empty() || self.broken
    }

    /// Gives up on the other side: what is to be written is thrown away.
    pub(super) fn give_up(&mut self) {
        self.broken = true;
        self.out = Vec::new();
    }

    /// Reads what is there, once, and hands it to `take`. `None`: the other side has closed.
    pub(super) fn poll_read<T>(
        &mut self,
        context: &mut Context<'_>,
        take: impl FnOnce(&[u8]) -> T,
    ) -> Poll<io::Result<Option<T>>> {
        CHUNK.with_borrow_mut(|chunk| {
            let mut buffer = ReadBuf::new(chunk);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
            let read = buffer.filled();
            Poll::Ready(Ok((!read.is_empty()).then(|| take(read))))
        })
    }

    /// Writes what waits; ready when all of it is with the kernel.
    pub(super) fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.out.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut self.stream).poll_write(context, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.sent += written,
            }
        }
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.sent = 0;
        self.out.clear();
        self.out.shrink_to(IDLE_OUT_BYTES);
        Poll::Ready(Ok(()))
    }

    /// Writes what waits and closes; errors no longer matter.
    pub(super) fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !self.is_written() && ready!(self.poll_write(context)).is_err() {
            self.give_up();
        }
        Pin::new(&mut self.stream).poll_shutdown(context).map(drop)
    }
}
