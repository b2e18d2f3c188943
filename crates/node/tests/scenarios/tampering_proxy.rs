//! A proxy that changes a node's answers.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
};

use data_encoding::BASE64;
use parking_lot::Mutex;
use serde_json::Value;

/// Changes the body of an answer to a request of this path.
type Tamper = Box<dyn FnMut(&str, &mut Value) + Send>;

/// The server. Its thread ends with the test's process.
pub struct TamperingProxy {
    addr: SocketAddr,
    tamper: Arc<Mutex<Tamper>>,
}

impl TamperingProxy {
    /// Forwards the answers of `node`, unchanged until [`tamper`](Self::tamper) is called.
    pub fn in_front_of(node: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        let tamper: Arc<Mutex<Tamper>> = Arc::new(Mutex::new(Box::new(|_, _| {})));
        let shared = tamper.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A client that disconnects must not end the server.
                let _ = pass_on(client, node, &shared);
            }
        });
        Self { addr, tamper }
    }

    /// Changes answers like this from now on.
    pub fn tamper(&self, tamper: impl FnMut(&str, &mut Value) + Send + 'static) {
        *self.tamper.lock() = Box::new(tamper);
    }

    pub fn addr(&self) -> String {
        self.addr.to_string()
    }
}

fn pass_on(mut client: TcpStream, node: SocketAddr, tamper: &Mutex<Tamper>) -> io::Result<()> {
    let mut request = BufReader::new(client.try_clone()?);
    let mut first = String::new();
    request.read_line(&mut first)?;
    let (mut header, mut length) = (String::new(), 0);
    while request.read_line(&mut header)? > 2 {
        let (name, value) = header.split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap_or(0);
        }
        header.clear();
    }
    let mut asked = vec![0; length];
    request.read_exact(&mut asked)?;
    let path = first.split(' ').nth(1).unwrap_or("/");
    let mut server = TcpStream::connect(node)?;
    write!(
        server,
        "{}\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n",
        first.trim_end()
    )?;
    server.write_all(&asked)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    if path == "/ask" {
        return client.write_all(&answer);
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.lines().next().unwrap_or("HTTP/1.1 502 Bad Gateway").to_owned();
    let mut body: Value = serde_json::from_str(body)?;
    (tamper.lock())(path, &mut body);
    let body = body.to_string();
    let length = body.len();
    write!(
        client,
        "{status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

/// Flips a bit of a field in base64: `at` thousandths into it.
pub fn flip(body: &mut Value, field: &str, at: usize) {
    let Some(text) = body[field].as_str() else { return };
    let mut bytes = BASE64.decode(text.as_bytes()).unwrap();
    let place = bytes.len() * at / 1_000;
    bytes[place] ^= 1;
    body[field] = BASE64.encode(&bytes).into();
}
