//! The two ways that a question can travel: a stream of our own QUIC connection, or one of the swarm's where nothing else reaches
//! the node (it is behind a relay, or its query port is closed).
//!
//! The frames are the same on both. The difference is how leaving shows. On QUIC each side stops or resets its stream. A
//! swarm's stream (Yamux over a relay, say) has no such signals that can be relied on: there the asker keeps its side open
//! for as long as it listens, and the end of what it sends means that it has left.

use std::{fmt, future::Future, io};

use bytes::{Bytes, BytesMut};
use futures::{
    AsyncReadExt, AsyncWriteExt, FutureExt,
    future::Either,
    io::{ReadHalf, WriteHalf},
};
use libp2p::Stream;
use quinn::{Connection, RecvStream, SendStream};
use tokio_util::sync::CancellationToken;

/// Bytes that are read from a swarm's stream at once.
const SCRATCH: usize = 16 * 1024;

/// The half that sends.
pub(super) enum Sending {
    /// On our own connection.
    Quic(SendStream, Connection),
    /// On the swarm's; the token says that the asker has left.
    Swarm(WriteHalf<Stream>, CancellationToken),
}

/// The half that receives.
pub(super) enum Receiving {
    /// On our own connection.
    Quic(RecvStream),
    /// On the swarm's, with room for what is read.
    Swarm(ReadHalf<Stream>, Box<[u8]>),
}

impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self, Self::Quic(..)) { "Quic" } else { "Swarm" })
    }
}

impl fmt::Debug for Receiving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self, Self::Quic(_)) { "Quic" } else { "Swarm" })
    }
}

/// The halves of a swarm's stream.
pub(super) fn split(stream: Stream, left: CancellationToken) -> (Sending, Receiving) {
    let (read, write) = stream.split();
    (Sending::Swarm(write, left), Receiving::Swarm(read, vec![0; SCRATCH].into()))
}

impl Sending {
    /// Sends all of `bytes`.
    pub(super) async fn write(&mut self, bytes: Bytes) -> io::Result<()> {
        match self {
            Self::Quic(send, _) => send.write_chunk(bytes).await.map_err(io::Error::from),
            Self::Swarm(write, _) => {
                write.write_all(&bytes).await?;
                write.flush().await
            }
        }
    }

    /// Says that nothing follows.
    pub(super) async fn finish(&mut self) {
        match self {
            // Both fail only when the other side is gone.
            Self::Quic(send, _) => drop(send.finish()),
            Self::Swarm(write, _) => drop(write.close().await),
        }
    }

    /// Says that what came is not the whole. On the swarm, dropping the stream says it.
    pub(super) fn reset(&mut self) {
        if let Self::Quic(send, _) = self {
            // Fails only when the other side is gone.
            let _ = send.reset(0u32.into());
        }
    }

    /// Waits until the asker has left.
    pub(super) async fn gone(&mut self) {
        match self {
            Self::Quic(send, connection) => tokio::select! {
                _ = send.stopped() => {}
                _ = connection.closed() => {}
            },
            Self::Swarm(_, left) => left.cancelled().await,
        }
    }

    /// Waits until the asker leaves, and says whether it had taken everything by then.
    pub(super) fn acknowledged(&self) -> impl Future<Output = bool> + Send + 'static {
        match self {
            Self::Quic(send, _) => Either::Left(send.stopped().map(|stopped| matches!(stopped, Ok(None)))),
            Self::Swarm(_, left) => Either::Right(left.clone().cancelled_owned().map(|()| false)),
        }
    }
}

impl Receiving {
    /// Adds what comes next to `buffer`, about `most` bytes of it; false at the end, or when the other side is gone.
    pub(super) async fn read(&mut self, most: usize, buffer: &mut BytesMut) -> bool {
        match self {
            Self::Quic(receive) => match receive.read_chunk(most, true).await {
                Ok(Some(chunk)) => buffer.extend_from_slice(&chunk.bytes),
                Ok(None) | Err(_) => return false,
            },
            Self::Swarm(read, scratch) => match read.read(scratch).await {
                Ok(length @ 1..) => buffer.extend_from_slice(&scratch[..length]),
                Ok(0) | Err(_) => return false,
            },
        }
        true
    }

    /// Tells the sender to stop. On the swarm, dropping the stream says it.
    pub(super) fn stop(&mut self) {
        if let Self::Quic(receive) = self {
            // Fails only when it has stopped already.
            let _ = receive.stop(0u32.into());
        }
    }

    /// Waits until the other side ends what it sends, or sends what it should not; for ever on QUIC, which has its own
    /// signals.
    pub(super) async fn ended(self) {
        match self {
            Self::Quic(_receive) => std::future::pending().await,
            // Whatever comes, or that nothing comes any more: this asker does not listen as it should.
            Self::Swarm(mut read, mut scratch) => drop(read.read(&mut scratch).await),
        }
    }
}
