//! The two transports of a query: a stream of the query plane's QUIC connection, or one of the swarm where the query
//! endpoint cannot be reached (the node is behind a relay, or its query port is closed).
//!
//! The frames are the same on both; the signal for leaving differs. On QUIC each side stops or resets its stream. A
//! stream of the swarm (Yamux over a relay, say) has no reliable signal of that kind: there the asker keeps its side
//! open for as long as it listens, and the end of its side means that it has left.

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

/// Size of the read buffer of a swarm stream.
const SCRATCH_BYTES: usize = 16 * 1024;

/// The sending half.
pub(super) enum SendHalf {
    /// On our own connection.
    Quic(SendStream, Connection),
    /// On a stream of the swarm; the token is cancelled when the asker has left.
    Swarm(WriteHalf<Stream>, CancellationToken),
}

/// The receiving half.
pub(super) enum ReceiveHalf {
    /// On our own connection.
    Quic(RecvStream),
    /// On a stream of the swarm, with its read buffer.
    Swarm(ReadHalf<Stream>, Box<[u8]>),
}

impl fmt::Debug for SendHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self, Self::Quic(..)) { "Quic" } else { "Swarm" })
    }
}

impl fmt::Debug for ReceiveHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self, Self::Quic(_)) { "Quic" } else { "Swarm" })
    }
}

/// The halves of a stream of the swarm.
pub(super) fn split(stream: Stream, left: CancellationToken) -> (SendHalf, ReceiveHalf) {
    let (read, write) = stream.split();
    (SendHalf::Swarm(write, left), ReceiveHalf::Swarm(read, vec![0; SCRATCH_BYTES].into()))
}

impl SendHalf {
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

    /// Ends the stream: nothing follows.
    pub(super) async fn finish(&mut self) {
        match self {
            // Both fail only when the other side is gone.
            Self::Quic(send, _) => drop(send.finish()),
            Self::Swarm(write, _) => drop(write.close().await),
        }
    }

    /// Resets the stream: the answer is incomplete. On the swarm, dropping the stream does that.
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

    /// Waits until the asker leaves, and returns whether it had received everything by then.
    pub(super) fn acknowledged(&self) -> impl Future<Output = bool> + Send + 'static {
        match self {
            Self::Quic(send, _) => Either::Left(send.stopped().map(|stopped| matches!(stopped, Ok(None)))),
            Self::Swarm(_, left) => Either::Right(left.clone().cancelled_owned().map(|()| false)),
        }
    }
}

impl ReceiveHalf {
    /// Reads about `most` bytes into `buffer`; false at the end, or when the other side is gone.
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

    /// Tells the sender to stop. On the swarm, dropping the stream does that.
    pub(super) fn stop(&mut self) {
        if let Self::Quic(receive) = self {
            // Fails only when it has stopped already.
            let _ = receive.stop(0u32.into());
        }
    }

    /// Waits until the other side ends its stream, or sends unexpected data; for ever on QUIC, which has its own
    /// signals. There, unexpected data is discarded, and no more of it is taken: unread, it would fill the window.
    pub(super) async fn ended(self) {
        match self {
            Self::Quic(mut receive) => {
                if let Ok(Some(_)) = receive.read_chunk(1, false).await {
                    // Fails only when the other side is gone.
                    let _ = receive.stop(0u32.into());
                }
                std::future::pending().await
            }
            // Data or the end: in both cases the asker no longer waits for the answer.
            Self::Swarm(mut read, mut scratch) => drop(read.read(&mut scratch).await),
        }
    }
}
