//! Ctrl-C, SIGTERM and SIGHUP as a token.

use std::{future::poll_fn, task::Poll};

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The exit code of a program that Ctrl-C has ended, as shells have it.
const INTERRUPTED_EXIT: i32 = 130;

/// Cancels `stop` with the first signal that asks the program to end, and ends it at once with the second.
pub(crate) fn stop_on_signal(stop: CancellationToken) -> anyhow::Result<()> {
    on_signals(move |count| match count {
        1 => stop.cancel(),
        // Whatever is on the disk survives a crash, and so this.
        _ => std::process::exit(INTERRUPTED_EXIT),
    })
}

/// Cancels `stop` with the first such signal and `hurry` with the second.
pub(crate) fn stop_then_hurry(stop: CancellationToken, hurry: CancellationToken) -> anyhow::Result<()> {
    on_signals(move |count| if count == 1 { stop.cancel() } else { hurry.cancel() })
}

fn on_signals(mut each: impl FnMut(u32) + Send + 'static) -> anyhow::Result<()> {
    let mut kinds = vec![SignalKind::interrupt(), SignalKind::terminate()];
    // `nohup` starts a program with the hang-up ignored, so that it lives on. A handler would undo that. An interrupt counts
    // always: scripts start what is in the background with it ignored, and end that by it.
    if !is_in(SignalKind::hangup(), ignored()) {
        kinds.push(SignalKind::hangup());
    }
    let listen = |kind| signal(kind).context("cannot listen for signals");
    let mut signals = kinds.into_iter().map(listen).collect::<anyhow::Result<Vec<_>>>()?;
    tokio::spawn(async move {
        let mut count = 0;
        loop {
            let received = poll_fn(|context| {
                let ready = signals.iter_mut().find_map(|signal| match signal.poll_recv(context) {
                    Poll::Ready(received) => Some(received),
                    Poll::Pending => None,
                });
                ready.map_or(Poll::Pending, Poll::Ready)
            });
            if received.await.is_none() {
                return;
            }
            count += 1;
            each(count);
        }
    });
    Ok(())
}

/// The signals that this process was started to ignore, a bit for each from the lowest on; none where the system has no
/// `/proc`.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

fn is_in(kind: SignalKind, mask: u64) -> bool {
    let number = u32::try_from(kind.as_raw_value()).unwrap_or(0);
    number.checked_sub(1).is_some_and(|bit| mask.checked_shr(bit).unwrap_or(0) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_bit_is_signal_one() {
        assert!(is_in(SignalKind::hangup(), 0b1) && !is_in(SignalKind::interrupt(), 0b1));
        assert!(is_in(SignalKind::interrupt(), 0b10) && !is_in(SignalKind::terminate(), 0b10));
    }
}
