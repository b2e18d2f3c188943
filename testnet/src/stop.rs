//! Stops processes: SIGTERM first, SIGKILL after a timeout.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::{Event, ProcessRef, Progress, TestnetError};

/// How long nodes may take to stop before they are killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a killed process may take to end; only a process that is stuck in the kernel takes longer.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);

/// How often the processes are checked.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// A process, and the name of its node.
pub(crate) type NamedProcess = (String, ProcessRef);

/// Stops `processes`: SIGTERM to all, SIGKILL to those that still run after the timeout or when `hurry` is cancelled.
///
/// # Errors
/// [`TestnetError::StillRunning`] when some do not end after SIGKILL.
pub(crate) async fn stop(
    mut processes: Vec<NamedProcess>,
    hurry: &CancellationToken,
    progress: &mut dyn Progress,
) -> Result<(), TestnetError> {
    processes.retain(|(_, process)| process.terminate());
    if processes.is_empty() {
        return Ok(());
    }
    progress.event(&Event::Stopping { nodes: processes.len() });
    tokio::select! {
        () = gone(&mut processes, STOP_TIMEOUT) => {}
        () = hurry.cancelled() => {}
    }
    processes.retain(|(_, process)| process.kill());
    if processes.is_empty() {
        return Ok(());
    }
    let names =
        |processes: &[NamedProcess]| processes.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    progress.event(&Event::Killing { nodes: names(&processes) });
    gone(&mut processes, KILL_TIMEOUT).await;
    match processes.is_empty() {
        true => Ok(()),
        false => Err(TestnetError::StillRunning(names(&processes))),
    }
}

/// Waits until all of `processes` have ended, for at most `timeout`; leaves those that still run in it.
pub(crate) async fn gone(processes: &mut Vec<NamedProcess>, timeout: Duration) {
    let until = Instant::now() + timeout;
    loop {
        processes.retain(|(_, process)| process.is_alive());
        if processes.is_empty() || Instant::now() >= until {
            return;
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Silent;

    fn spawn(script: &str) -> (std::process::Child, ProcessRef) {
        use std::io::Read;
        // The script prints a line when its trap is set; before that, SIGTERM would end it.
        let mut child = std::process::Command::new("sh")
            .args(["-c", script])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0; 1]).unwrap();
        let process = ProcessRef::of(child.id());
        (child, process)
    }

    /// Records the events.
    #[derive(Default)]
    struct Recorder(Vec<Event>);

    impl Progress for Recorder {
        fn event(&mut self, event: &Event) {
            self.0.push(event.clone());
        }
    }

    #[tokio::test]
    async fn does_not_kill_a_process_that_stops_when_asked() {
        use std::os::unix::process::ExitStatusExt;
        let (mut child, process) = spawn("trap 'exit 7' TERM; echo; while :; do sleep 0.01; done");
        let mut recorder = Recorder::default();
        stop(vec![("n".into(), process)], &CancellationToken::new(), &mut recorder).await.unwrap();
        let status = child.wait().unwrap();
        assert_eq!((status.code(), status.signal()), (Some(7), None));
        assert_eq!(recorder.0, [Event::Stopping { nodes: 1 }]);
    }

    #[tokio::test]
    async fn kills_at_once_in_a_hurry() {
        use std::os::unix::process::ExitStatusExt;
        let (mut child, process) = spawn("trap '' TERM; echo; while :; do sleep 0.01; done");
        let hurry = CancellationToken::new();
        hurry.cancel();
        let mut recorder = Recorder::default();
        stop(vec![("n".into(), process)], &hurry, &mut recorder).await.unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        assert_eq!(recorder.0[1], Event::Killing { nodes: vec!["n".into()] });
    }

    #[tokio::test]
    async fn reports_nothing_for_dead_processes() {
        let gone = ProcessRef { pid: u32::MAX, started: 1 };
        stop(vec![("n".into(), gone)], &CancellationToken::new(), &mut Silent).await.unwrap();
    }
}
