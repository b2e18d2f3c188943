//! Ctrl-C, SIGTERM and SIGHUP as a token.

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Cancels `stop` with the first signal that asks the program to end.
pub(crate) fn stop_on_signal(stop: CancellationToken) -> anyhow::Result<()> {
    on_signals(move |count| {
        if count == 1 {
            stop.cancel();
        }
    })
}

/// Cancels `stop` with the first such signal and `hurry` with the second.
pub(crate) fn stop_then_hurry(stop: CancellationToken, hurry: CancellationToken) -> anyhow::Result<()> {
    on_signals(move |count| if count == 1 { stop.cancel() } else { hurry.cancel() })
}

fn on_signals(mut each: impl FnMut(u32) + Send + 'static) -> anyhow::Result<()> {
    let listen = |kind| signal(kind).context("cannot listen for signals");
    let (mut interrupt, mut terminate, mut hangup) =
        (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?, listen(SignalKind::hangup())?);
    tokio::spawn(async move {
        let mut count = 0;
        loop {
            let received = tokio::select! {
                received = interrupt.recv() => received,
                received = terminate.recv() => received,
                received = hangup.recv() => received,
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
