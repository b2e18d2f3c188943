//! The wire format of requests and responses.
//!
//! A request: one byte with the length of the protocol's name, the name, four bytes (big-endian) with the length of
//! the data, the data. An answer: one byte of status; with status 0 four bytes of length and the data follow.
//! Either side ends with the end of its half of the stream.

use std::{io, sync::Arc, time::Duration};

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::{StreamProtocol, request_response};
use prometheus_client::metrics::counter::Counter;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{MAX_INBOUND_BYTES, MAX_NAME_BYTES, ProtocolSpec};
use crate::NetworkMetrics;

/// Bytes that are allocated before any of the data has arrived.
const INITIAL_READ_BYTES: usize = 4 << 10;

/// Bytes of a request that are read at once.
const READ_BYTES: usize = 1 << 10;

/// How long a request may take to arrive, also where its answer may take longer: it holds memory that all peers share.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

const DATA: u8 = 0;
const BUSY: u8 = 1;
const TOO_OFTEN: u8 = 2;
const REFUSED: u8 = 3;

/// A request, in or out.
#[derive(Debug)]
pub(crate) struct Request {
    /// Index of its protocol among the configured ones.
    pub(crate) protocol: usize,
    pub(crate) data: Vec<u8>,
    /// Its share of the memory for inbound requests; none for our own.
    pub(crate) memory: Option<OwnedSemaphorePermit>,
}

/// A response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Data(Vec<u8>),
    Busy,
    TooOften,
    Refused,
}

/// Reads and writes one stream; cloned for each.
#[derive(Clone)]
pub(crate) struct Codec {
    specs: Arc<[ProtocolSpec]>,
    memory: Arc<Semaphore>,
    /// Counts inbound requests that could not be read.
    metrics: NetworkMetrics,
    /// The protocol of the request that went over this stream.
    asked: usize,
}

/// Checks that the protocols' names are valid and distinct, and that their bounds can be kept.
pub(crate) fn check(specs: &[ProtocolSpec]) -> Result<(), String> {
    for (index, spec) in specs.iter().enumerate() {
        let longest = spec.max_request.max(spec.max_response);
        if spec.name.is_empty() || spec.name.len() > MAX_NAME_BYTES {
            return Err(format!("protocol name {:?} must have 1 to {MAX_NAME_BYTES} bytes", spec.name));
        }
        if specs[..index].iter().any(|other| other.name == spec.name) {
            return Err(format!("protocol {} is configured twice", spec.name));
        }
        if longest > MAX_INBOUND_BYTES {
            return Err(format!(
                "protocol {}: {longest} bytes in one message, at most {MAX_INBOUND_BYTES}",
                spec.name
            ));
        }
    }
    Ok(())
}

impl Codec {
    /// For these protocols, with `memory` bytes for inbound requests; counts those that cannot be read.
    pub(crate) fn new(specs: Arc<[ProtocolSpec]>, memory: usize, metrics: NetworkMetrics) -> Self {
        Self { specs, memory: Arc::new(Semaphore::new(memory)), metrics, asked: 0 }
    }

    async fn read<T: AsyncRead + Unpin + Send>(&self, io: &mut T) -> io::Result<Request> {
        let name_len = read_u8(io).await?;
        if usize::from(name_len) > MAX_NAME_BYTES {
            return Err(invalid("the name is too long"));
        }
        let mut name = vec![0; name_len.into()];
        io.read_exact(&mut name).await?;
        let known = self.specs.iter().position(|spec| spec.name.as_bytes() == name);
        let Some(protocol) = known else {
            self.metrics.requests_unknown_protocol.inc();
            let name = String::from_utf8_lossy(&name);
            tracing::debug!(?name, "refused: a request of an unknown protocol");
            return Err(invalid("unknown protocol"));
        };
        // The name comes first on the wire because the bound of the length depends on the protocol.
        let spec = &self.specs[protocol];
        let (limit, deadline) = (spec.max_request, spec.timeout.min(READ_TIMEOUT));
        let len = read_len(io, limit).await?;
        let read = timeout(deadline, self.read_metered(io, len));
        let (data, memory) = read.await.map_err(|_| io::ErrorKind::TimedOut)??;
        Ok(Request { protocol, data, memory: Some(memory) })
    }

    /// Exactly `len` bytes and their share of the memory. The share grows with what has arrived: one that followed the
    /// announced length would let a few strangers, who send nothing, use up the memory of all peers.
    async fn read_metered<T: AsyncRead + Unpin + Send>(
        &self,
        io: &mut T,
        len: usize,
    ) -> io::Result<(Vec<u8>, OwnedSemaphorePermit)> {
        // One permit is one byte.
        let take = |bytes: usize| {
            let permits = u32::try_from(bytes).map_err(|_| invalid("the request is too long"))?;
            let taken = self.memory.clone().try_acquire_many_owned(permits);
            taken.map_err(|_| io::Error::other("too many bytes of requests in progress"))
        };
        let (mut data, mut memory) = (Vec::new(), take(0)?);
        let mut part = [0; READ_BYTES];
        while data.len() < len {
            let most = (len - data.len()).min(READ_BYTES);
            let arrived = io.read(&mut part[..most]).await?;
            if arrived == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            memory.merge(take(arrived)?);
            data.extend_from_slice(&part[..arrived]);
        }
        Ok((data, memory))
    }

    fn spec(&self, index: usize) -> io::Result<&ProtocolSpec> {
        self.specs.get(index).ok_or_else(|| invalid("unknown protocol"))
    }
}

impl request_response::Codec for Codec {
    type Protocol = StreamProtocol;
    type Request = Request;
    type Response = Answer;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Request>
    where
        T: AsyncRead + Unpin + Send,
    {
        // When the stream's deadline passes, this future is dropped, and the guard counts it.
        let unread = UnreadGuard(Some(self.metrics.requests_failed.clone()));
        let request = self.read(io).await?;
        unread.was_read();
        Ok(request)
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Answer>
    where
        T: AsyncRead + Unpin + Send,
    {
        let mut status = [REFUSED];
        if io.read(&mut status).await? == 0 {
            // The other side closed without a status: it dropped the request.
            return Ok(Answer::Refused);
        }
        match status[0] {
            DATA => {
                let spec = self.spec(self.asked)?;
                let len = read_len(io, spec.max_response).await?;
                Ok(Answer::Data(read_body(io, len, spec.timeout).await?))
            }
            BUSY => Ok(Answer::Busy),
            TOO_OFTEN => Ok(Answer::TooOften),
            REFUSED => Ok(Answer::Refused),
            _ => Err(invalid("unknown status")),
        }
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, request: Request) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        self.asked = request.protocol;
        let name = self.spec(request.protocol)?.name.as_bytes();
        let name_len = u8::try_from(name.len()).map_err(|_| invalid("the name is too long"))?;
        io.write_all(&[&[name_len], name].concat()).await?;
        write_body(io, &request.data).await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, answer: Answer) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        match answer {
            Answer::Data(data) => {
                io.write_all(&[DATA]).await?;
                write_body(io, &data).await
            }
            Answer::Busy => io.write_all(&[BUSY]).await,
            Answer::TooOften => io.write_all(&[TOO_OFTEN]).await,
            Answer::Refused => io.write_all(&[REFUSED]).await,
        }
    }
}

/// Counts a request that could not be read, unless [`UnreadGuard::was_read`] was called.
struct UnreadGuard(Option<Counter>);

impl UnreadGuard {
    fn was_read(mut self) {
        self.0 = None;
    }
}

impl Drop for UnreadGuard {
    fn drop(&mut self) {
        if let Some(counter) = &self.0 {
            counter.inc();
        }
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

async fn read_u8(io: &mut (impl AsyncRead + Unpin + Send)) -> io::Result<u8> {
    let mut byte = [0];
    io.read_exact(&mut byte).await?;
    Ok(byte[0])
}

async fn read_len(io: &mut (impl AsyncRead + Unpin + Send), limit: usize) -> io::Result<usize> {
    let mut bytes = [0; 4];
    io.read_exact(&mut bytes).await?;
    let len = usize::try_from(u32::from_be_bytes(bytes)).map_err(|_| invalid("too long"))?;
    if len > limit {
        return Err(invalid("longer than its protocol allows"));
    }
    Ok(len)
}

/// Exactly `len` bytes. Memory grows with what arrives, not with what was announced.
async fn read_body(
    io: &mut (impl AsyncRead + Unpin + Send),
    len: usize,
    deadline: Duration,
) -> io::Result<Vec<u8>> {
    let mut data = Vec::with_capacity(len.min(INITIAL_READ_BYTES));
    let most = u64::try_from(len).map_err(|_| invalid("too long"))?;
    // A peer that sends more than it announced is cut off at the length.
    let mut part = io.take(most);
    timeout(deadline, part.read_to_end(&mut data)).await.map_err(|_| io::ErrorKind::TimedOut)??;
    if data.len() < len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(data)
}

async fn write_body(io: &mut (impl AsyncWrite + Unpin + Send), data: &[u8]) -> io::Result<()> {
    let len = u32::try_from(data.len()).map_err(|_| invalid("too long"))?;
    io.write_all(&len.to_be_bytes()).await?;
    io.write_all(data).await
}

#[cfg(test)]
mod tests {
    use futures::io::Cursor;
    use libp2p::request_response::Codec as _;
    use proptest::prelude::*;

    use super::*;

    const WIRE: StreamProtocol = StreamProtocol::new("/test");
    const MAX: usize = 100;

    fn codec(memory: usize) -> Codec {
        let spec = ProtocolSpec { max_request: MAX, max_response: MAX, ..ProtocolSpec::new("echo/1") };
        Codec::new([ProtocolSpec::new("other/1"), spec].into(), memory, NetworkMetrics::default())
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
    }

    fn written(data: &[u8]) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let request = Request { protocol: 1, data: data.to_vec(), memory: None };
        run(codec(MAX).write_request(&WIRE, &mut bytes, request)).unwrap();
        bytes.into_inner()
    }

    fn read(codec: &mut Codec, bytes: &[u8]) -> io::Result<Request> {
        run(codec.read_request(&WIRE, &mut Cursor::new(bytes)))
    }

    proptest! {
        #[test]
        fn a_request_is_read_as_it_was_written(data in prop::collection::vec(any::<u8>(), 0..=MAX)) {
            let request = read(&mut codec(MAX), &written(&data)).unwrap();
            prop_assert_eq!((request.protocol, request.data), (1, data));
        }

        #[test]
        fn a_response_is_read_as_it_was_written(data in prop::collection::vec(any::<u8>(), 0..=MAX)) {
            for answer in [Answer::Data(data.clone()), Answer::Busy, Answer::TooOften, Answer::Refused] {
                let wanted = format!("{answer:?}");
                let mut bytes = Cursor::new(Vec::new());
                run(codec(MAX).write_response(&WIRE, &mut bytes, answer)).unwrap();
                let mut asker = Codec { asked: 1, ..codec(MAX) };
                let read = run(asker.read_response(&WIRE, &mut Cursor::new(bytes.into_inner()))).unwrap();
                prop_assert_eq!(format!("{read:?}"), wanted);
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(request) = read(&mut codec(MAX), &bytes) {
                prop_assert!(request.data.len() <= MAX || request.protocol == 0);
            }
            let _ = run(codec(MAX).read_response(&WIRE, &mut Cursor::new(bytes)));
        }

        #[test]
        fn a_cut_request_is_an_error(data in prop::collection::vec(any::<u8>(), 0..=MAX), cut in 0.0..1.0f64) {
            let bytes = written(&data);
            let keep = (bytes.len() as f64 * cut) as usize;
            prop_assert!(read(&mut codec(MAX), &bytes[..keep]).is_err());
        }
    }

    #[test]
    fn an_announced_length_beyond_the_bound_is_refused_unread() {
        let mut bytes = written(&[]);
        let at = bytes.len() - 4;
        bytes[at..].copy_from_slice(&u32::try_from(MAX + 1).unwrap().to_be_bytes());
        let error = read(&mut codec(MAX), &bytes).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        bytes[at..].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(read(&mut codec(MAX), &bytes).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn the_wire_is_frozen() {
        assert_eq!(written(b"data"), b"\x06echo/1\0\0\0\x04data");
        let answers = [
            (Answer::Data(b"yes".to_vec()), b"\0\0\0\0\x03yes".as_slice()),
            (Answer::Busy, b"\x01"),
            (Answer::TooOften, b"\x02"),
            (Answer::Refused, b"\x03"),
        ];
        for (answer, bytes) in answers {
            let mut written = Cursor::new(Vec::new());
            run(codec(MAX).write_response(&WIRE, &mut written, answer)).unwrap();
            assert_eq!(written.into_inner(), bytes);
        }
    }

    #[test]
    fn requests_share_their_memory_and_give_it_back() {
        let mut codec = codec(MAX);
        let first = read(&mut codec, &written(&[0; 60])).unwrap();
        assert!(read(&mut codec.clone(), &written(&[0; 60])).is_err(), "the first request holds the memory");
        drop(first);
        assert!(read(&mut codec, &written(&[0; 60])).is_ok());
    }

    /// A stream with some bytes, whose other end then sends nothing and does not close.
    struct Stalled(Cursor<Vec<u8>>);

    impl AsyncRead for Stalled {
        fn poll_read(
            mut self: std::pin::Pin<&mut Self>,
            context: &mut std::task::Context<'_>,
            buffer: &mut [u8],
        ) -> std::task::Poll<io::Result<usize>> {
            match std::pin::Pin::new(&mut self.0).poll_read(context, buffer) {
                std::task::Poll::Ready(Ok(0)) => std::task::Poll::Pending,
                other => other,
            }
        }
    }

    #[test]
    fn a_request_that_is_announced_and_not_sent_holds_no_memory() {
        let codec = codec(MAX);
        let (whole, half) = (written(&[0; MAX]), written(&[0; MAX / 2]));
        run(async {
            // As many as fit on one connection announce all of the memory, and send one byte of it.
            let stalled = || Stalled(Cursor::new(whole[..whole.len() - MAX + 1].to_vec()));
            let mut streams: Vec<_> = (0..32).map(|_| stalled()).collect();
            let mut readers: Vec<_> = streams.iter_mut().map(|stream| Box::pin(codec.read(stream))).collect();
            for reader in &mut readers {
                assert!(futures::poll!(reader).is_pending());
            }
            let held = MAX - codec.memory.available_permits();
            assert_eq!(held, readers.len(), "the share is what has arrived");
            // A share of the announced length: the second request of anyone is refused already.
            assert!(codec.memory.clone().try_acquire_many_owned(MAX as u32).is_err());
            let honest = codec.read(&mut Cursor::new(half)).await.unwrap();
            assert_eq!(honest.data.len(), MAX / 2);
        });
    }

    #[test]
    fn invalid_protocols_are_refused_at_the_start() {
        let good = ProtocolSpec::new("a/1");
        assert!(check(&[good.clone(), ProtocolSpec::new("b/1")]).is_ok());
        assert!(check(&[good.clone(), good.clone()]).is_err());
        assert!(check(&[ProtocolSpec::new("")]).is_err());
        assert!(check(&[ProtocolSpec { max_response: MAX_INBOUND_BYTES + 1, ..good }]).is_err());
    }

    #[test]
    fn an_unknown_protocol_is_refused() {
        let (mut bytes, mut codec) = (written(b"data"), codec(MAX));
        bytes[1] = b'x';
        assert!(read(&mut codec, &bytes).is_err());
        let metrics = &codec.metrics;
        assert_eq!((metrics.requests_unknown_protocol.get(), metrics.requests_failed.get()), (1, 1));
    }

    /// A stream whose other end sends nothing and does not close.
    struct Silent;

    impl AsyncRead for Silent {
        fn poll_read(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            _: &mut [u8],
        ) -> std::task::Poll<io::Result<usize>> {
            std::task::Poll::Pending
        }
    }

    #[test]
    fn a_missing_body_times_out() {
        let error = run(read_body(&mut Silent, 1, Duration::from_millis(10))).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
