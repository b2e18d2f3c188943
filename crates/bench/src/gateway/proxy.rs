//! nginx as a reverse proxy, as small as it can be configured: connections to the upstream stay open, nothing is logged.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context;
use tempfile::TempDir;

/// How long nginx may take to listen.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// A running nginx; killed when this is dropped.
pub(super) struct Nginx {
    child: Child,
    address: SocketAddr,
    _home: TempDir,
}

impl Nginx {
    /// Starts nginx in front of `upstream`; `None` where it is not installed.
    pub(super) fn start(upstream: SocketAddr) -> anyhow::Result<Option<Self>> {
        let home = tempfile::tempdir()?;
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let at = home.path().display();
        let config = format!(
            "daemon off; master_process off; worker_processes 1; pid {at}/pid; error_log {at}/error.log;\n\
             events {{ worker_connections 1024; }}\n\
             http {{\n  access_log off;\n  client_body_temp_path {at}/body; proxy_temp_path {at}/proxy;\n  \
             fastcgi_temp_path {at}/f; uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;\n  keepalive_requests 1000000000;\n  \
             upstream server {{ server {upstream}; keepalive 64; keepalive_requests 1000000000; }}\n  \
             server {{ listen {address}; location / {{ proxy_pass http://server; proxy_http_version 1.1; \
             proxy_set_header Connection \"\"; }} }}\n}}\n"
        );
        let path = home.path().join("nginx.conf");
        std::fs::write(&path, config)?;
        let mut command = Command::new("nginx");
        command.arg("-p").arg(home.path()).arg("-c").arg(&path);
        let child = match command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).context("nginx did not start"),
        };
        let nginx = Self { child, address, _home: home };
        let until = Instant::now() + START_TIMEOUT;
        while TcpStream::connect(address).is_err() {
            anyhow::ensure!(Instant::now() < until, "nginx does not listen in time");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Some(nginx))
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Both fail only when it has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
