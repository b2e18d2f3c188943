//! A load of HTTP/1.1 requests on connections that stay open. The client is minimal, so that it takes little of the CPU.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Longest answer, head and body, in bytes.
const MAX_ANSWER_BYTES: usize = 16 << 10;

/// Sends the same request to a server over and over.
pub(super) struct HttpLoad {
    address: SocketAddr,
    request: Arc<[u8]>,
}

impl HttpLoad {
    pub(super) fn new(address: SocketAddr, path: &str, body: &str) -> Self {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        Self { address, request: request.into_bytes().into() }
    }

    /// Times of `count` sequential requests.
    pub(super) async fn sequential(&self, count: usize) -> anyhow::Result<Vec<Duration>> {
        let mut connection = Connection::open(self.address).await?;
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let began = Instant::now();
            connection.request(&self.request).await?;
            times.push(began.elapsed());
        }
        Ok(times)
    }

    /// Requests per second with `concurrent` connections.
    pub(super) async fn throughput(&self, concurrent: usize, time: Duration) -> anyhow::Result<f64> {
        let (began, until) = (Instant::now(), Instant::now() + time);
        let one = || async {
            let mut connection = Connection::open(self.address).await?;
            let mut done = 0u64;
            while Instant::now() < until {
                connection.request(&self.request).await?;
                done += 1;
            }
            anyhow::Ok(done)
        };
        let all = futures::future::try_join_all((0..concurrent).map(|_| one())).await?;
        Ok(all.iter().sum::<u64>() as f64 / began.elapsed().as_secs_f64())
    }
}

struct Connection {
    socket: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, received: Vec::with_capacity(MAX_ANSWER_BYTES) })
    }

    /// Sends the request and reads the whole answer, which must have status 200 and a length.
    async fn request(&mut self, request: &[u8]) -> anyhow::Result<()> {
        self.socket.write_all(request).await?;
        self.received.clear();
        loop {
            let read = self.socket.read_buf(&mut self.received).await?;
            anyhow::ensure!(
                read > 0 && self.received.len() <= MAX_ANSWER_BYTES,
                "the answer broke off, or is too long"
            );
            let Some(head) = self.received.windows(4).position(|end| end == b"\r\n\r\n") else { continue };
            let text = std::str::from_utf8(&self.received[..head])?;
            anyhow::ensure!(text.starts_with("HTTP/1.1 200"), "{}", text.lines().next().unwrap_or_default());
            let length = text.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            let whole = head + 4 + length.context("an answer without a length")?;
            if self.received.len() >= whole {
                return Ok(());
            }
        }
    }
}
