//! Ctrl-C, SIGTERM and SIGHUP as a token.

use anyhow::Context;
use futures::future::OptionFuture;
use tokio::signal::unix::{Signal, SignalKind, signal};
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
    let listen = |kind| signal(kind).context("cannot listen for signals");
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    // `nohup` starts a program with the hang-up ignored, so that it lives on. A handler would undo that. An interrupt counts
    // always: scripts start what is in the background with it ignored, and end that by it.
    let mut hangup = if ignores_hangup() { None } else { Some(listen(SignalKind::hangup())?) };
    tokio::spawn(async move {
        let mut count = 0;
        loop {
            let received = tokio::select! {
                received = interrupt.recv() => received,
                received = terminate.recv() => received,
                Some(received) = OptionFuture::from(hangup.as_mut().map(Signal::recv)) => received,
            };
            if received.is_none() {
                return;
            }
            count += 1;
            each(count);
        }
    });
    Ok(())
}

/// Whether this process was started to ignore hang-ups. False where the system has no `/proc`.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    is_hangup_in(&status)
}

/// Whether the ignored signals in a process's status have the hang-up: signal 1, the lowest bit of the mask.
fn is_hangup_in(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_bit_is_signal_one() {
        assert!(is_hangup_in("Name:\tx\nSigIgn:\t0000000000001001\n"));
        assert!(!is_hangup_in("SigIgn:\t0000000000000002\n") && !is_hangup_in(""));
    }
}
