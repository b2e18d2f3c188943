//! Logging to standard error, with the filter in `NERVURE_LOG`.
//!
//! Every line is escaped when it is written: errors of libraries quote what peers sent, such as the reason with which
//! one closed its connection.

use std::io::{self, Write};

use anyhow::Context;
use nervure_primitives::Escaped;
use tracing_subscriber::{EnvFilter, fmt};

/// The filter if `NERVURE_LOG` is not set: information of our own crates, warnings of dependencies. Some libraries warn twice a
/// minute about probes and packets that fail in every network; `nervure doctor` says what follows from it. Gossipsub warns
/// when two nodes publish the same transaction, which they do on purpose.
const DEFAULT_FILTER: &str = "warn,nervure=info,nervure_p2p=info,nervure_experts=info,libp2p_autonat=error,\
                              libp2p_gossipsub=error,libp2p_kad=error,libp2p_upnp=error,igd_next=error,quinn=error,quinn_proto=error,quinn_udp=error";

/// Starts logging.
pub(crate) fn start() -> anyhow::Result<()> {
    let filter = match std::env::var("NERVURE_LOG") {
        Ok(text) if !text.is_empty() => text.parse::<EnvFilter>().with_context(|| {
            format!("NERVURE_LOG is '{text}', which is not a valid filter\nwrite info, or nervure=debug")
        })?,
        _ => EnvFilter::new(DEFAULT_FILTER),
    };
    let builder = fmt().with_env_filter(filter).with_target(true);
    let started = match std::env::var("NERVURE_LOG_FORMAT").as_deref() {
        Ok("json") => builder.with_writer(|| EscapedLog::Json(io::stderr())).json().try_init(),
        Ok("text" | "") | Err(_) => {
            builder.with_writer(|| EscapedLog::Text(io::stderr())).with_ansi(false).try_init()
        }
        Ok(other) => {
            anyhow::bail!("NERVURE_LOG_FORMAT is '{other}', which is not a valid format\nwrite text or json")
        }
    };
    started.map_err(|error| anyhow::anyhow!("cannot start logging: {error}"))
}

/// Escapes the events of a log. Each comes whole, in one write, and ends with a line break.
enum EscapedLog<W> {
    Text(W),
    Json(W),
}

impl<W: Write> Write for EscapedLog<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        match self {
            Self::Text(out) => writeln!(out, "{}", Escaped::line(text.strip_suffix('\n').unwrap_or(&text)))?,
            Self::Json(out) => write!(out, "{}", Escaped::json(&text))?,
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let (Self::Text(out) | Self::Json(out)) = self;
        out.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    /// What a peer could say for a reason.
    const HOSTILE: &str = "bye\u{1b}[2J\u{9b}31m\r\n2026 ERROR nervure: send your key\u{202e}";

    /// A writer that keeps what is written.
    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Shared {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().clone()).unwrap()
        }
    }

    fn log(subscriber: impl tracing::Subscriber + Send + Sync) {
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(reason = %HOSTILE, "closed {HOSTILE}");
        });
    }

    /// What the filter lets through of a warning of a library.
    fn warned(filter: &str) -> bool {
        let out = Shared::default();
        let writer = out.clone();
        let filter = EnvFilter::new(filter);
        let subscriber = fmt().with_env_filter(filter).with_writer(move || EscapedLog::Text(writer.clone()));
        tracing::subscriber::with_default(subscriber.finish(), || {
            tracing::warn!(target: "quinn_udp", "sendmsg error: network is unreachable");
            tracing::warn!(target: "libp2p_autonat::v2::client", "a probe failed");
        });
        !out.text().is_empty()
    }

    #[test]
    fn probes_and_packets_that_fail_are_no_news() {
        assert!(!warned(DEFAULT_FILTER));
        assert!(warned("warn,nervure=info"), "without the filter they are");
        let out = Shared::default();
        let writer = out.clone();
        let subscriber = fmt().with_env_filter(EnvFilter::new(DEFAULT_FILTER));
        let subscriber = subscriber.with_writer(move || EscapedLog::Text(writer.clone())).finish();
        tracing::subscriber::with_default(subscriber, || tracing::warn!(target: "libp2p_swarm", "news"));
        assert!(out.text().contains("news"), "other warnings stay");
    }

    #[test]
    fn an_event_is_one_line_without_control_characters() {
        let out = Shared::default();
        let writer = out.clone();
        log(fmt().with_writer(move || EscapedLog::Text(writer.clone())).with_ansi(false).finish());
        let text = out.text();
        assert_eq!(text.matches('\n').count(), 1, "{text:?}");
        assert!(
            text.contains("bye") && !text.trim_end().contains(|c: char| c.is_control() || c == '\u{202e}'),
            "{text:?}"
        );
    }

    #[test]
    fn a_json_event_says_the_same_in_ascii_escapes() {
        let out = Shared::default();
        let writer = out.clone();
        log(fmt().json().with_writer(move || EscapedLog::Json(writer.clone())).finish());
        let text = out.text();
        assert!(!text.trim_end().contains(|c: char| c.is_control() || c == '\u{202e}'), "{text:?}");
        let event: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(event["fields"]["reason"], HOSTILE);
    }
}
