//! Stopping processes: ask, wait, and only then kill.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::{Event, ProcessRef, Progress, TestnetError};

/// How long nodes have to stop by themselves before they are killed.
const GRACE: Duration = Duration::from_secs(5);

/// How long a killed process may take to be gone; only a process stuck in the kernel takes longer.
const AFTER_KILL: Duration = Duration::from_secs(5);

/// Pause between two looks at who still lives.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A process, and the name of its node.
pub(crate) type Named = (String, ProcessRef);

/// Stops `processes`: SIGTERM to all, SIGKILL to whoever lives after the grace or when `hurry` is cancelled.
///
/// # Errors
/// [`TestnetError::StillRunning`] when some outlive even that.
pub(crate) async fn stop(
    mut processes: Vec<Named>,
    hurry: &CancellationToken,
    progress: &mut dyn Progress,
) -> Result<(), TestnetError> {
    processes.retain(|(_, process)| process.terminate());
    if processes.is_empty() {
        return Ok(());
    }
    progress.event(&Event::Stopping { nodes: processes.len() });
    tokio::select! {
        () = gone(&mut processes, GRACE) => {}
        () = hurry.cancelled() => {}
    }
    processes.retain(|(_, process)| process.kill());
    if processes.is_empty() {
        return Ok(());
    }
    let names = |processes: &[Named]| processes.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    progress.event(&Event::Killing { nodes: names(&processes) });
    gone(&mut processes, AFTER_KILL).await;
    match processes.is_empty() {
        true => Ok(()),
        false => Err(TestnetError::StillRunning(names(&processes))),
    }
}

/// Waits until all of `processes` are gone, for at most `patience`; leaves the living ones in it.
pub(crate) async fn gone(processes: &mut Vec<Named>, patience: Duration) {
    let until = Instant::now() + patience;
    loop {
        processes.retain(|(_, process)| process.is_alive());
        if processes.is_empty() || Instant::now() >= until {
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Silent;

    fn spawn(script: &str) -> (std::process::Child, ProcessRef) {
        use std::io::Read;
        // The script says when its trap is set; until then SIGTERM would simply end it.
        let mut child = std::process::Command::new("sh")
            .args(["-c", script])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0; 1]).unwrap();
        let process = ProcessRef::of(child.id());
        (child, process)
    }

    /// What was told.
    #[derive(Default)]
    struct Told(Vec<Event>);

    impl Progress for Told {
        fn event(&mut self, event: &Event) {
            self.0.push(event.clone());
        }
    }

    #[tokio::test]
    async fn who_stops_when_asked_is_not_killed() {
        use std::os::unix::process::ExitStatusExt;
        let (mut child, process) = spawn("trap 'exit 7' TERM; echo; while :; do sleep 0.01; done");
        let mut told = Told::default();
        stop(vec![("n".into(), process)], &CancellationToken::new(), &mut told).await.unwrap();
        let status = child.wait().unwrap();
        assert_eq!((status.code(), status.signal()), (Some(7), None));
        assert_eq!(told.0, [Event::Stopping { nodes: 1 }]);
    }

    #[tokio::test]
    async fn who_will_not_stop_is_killed_at_once_in_a_hurry() {
        use std::os::unix::process::ExitStatusExt;
        let (mut child, process) = spawn("trap '' TERM; echo; while :; do sleep 0.01; done");
        let hurry = CancellationToken::new();
        hurry.cancel();
        let mut told = Told::default();
        stop(vec![("n".into(), process)], &hurry, &mut told).await.unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        assert_eq!(told.0[1], Event::Killing { nodes: vec!["n".into()] });
    }

    #[tokio::test]
    async fn stopping_the_dead_is_quiet() {
        let gone = ProcessRef { pid: u32::MAX, started: 1 };
        stop(vec![("n".into(), gone)], &CancellationToken::new(), &mut Silent).await.unwrap();
    }
}
