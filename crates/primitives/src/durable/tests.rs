//! A crash between any two steps leaves the old content or the new one.

use std::{thread, time::Duration};

use super::*;

const STEPS: [ReplaceStep; 5] = [
    ReplaceStep::Created,
    ReplaceStep::Written,
    ReplaceStep::Synced,
    ReplaceStep::Renamed,
    ReplaceStep::Finished,
];

#[test]
fn a_crash_at_any_step_leaves_the_old_content_or_the_new_one() {
    for (index, last) in STEPS.into_iter().enumerate() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("file");
        replace(&path, b"old content", Access::Default).unwrap();
        let mut seen = Vec::new();
        let crash = |step| {
            seen.push(step);
            if step == last { Err(io::Error::other("crash")) } else { Ok(()) }
        };
        replace_with(&path, b"new", Access::Default, crash).unwrap_err();
        assert_eq!(seen, STEPS[..=index]);
        let expected: &[u8] = if index < 3 { b"old content" } else { b"new" };
        assert_eq!(fs::read(&path).unwrap(), expected, "{last:?}");
        // What the crash left behind does not hinder the next one.
        replace(&path, b"next", Access::Owner).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"next");
        assert!(!temporary(&path).exists());
    }
}

#[test]
fn a_file_is_created_once() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("file");
    create(&path, b"first", Access::Owner).unwrap();
    let error = create(&path, b"second", Access::Owner).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&path).unwrap(), b"first");
}

#[cfg(unix)]
#[test]
fn secrets_are_readable_by_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let (created, replaced) = (home.path().join("created"), home.path().join("replaced"));
    create(&created, b"secret", Access::Owner).unwrap();
    fs::write(temporary(&replaced), b"left by a crash, open to all").unwrap();
    fs::write(&replaced, b"old").unwrap();
    replace(&replaced, b"secret", Access::Owner).unwrap();
    assert_eq!((mode(&created), mode(&replaced)), (0o600, 0o600));
}

#[test]
fn writers_of_one_file_take_turns() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("file");
    let slow = |byte: u8| {
        let observe = |_| {
            thread::sleep(Duration::from_micros(200));
            Ok(())
        };
        replace_with(&path, &[byte; 4_096], Access::Default, observe).unwrap();
        let content = fs::read(&path).unwrap();
        assert!(content.len() == 4_096 && content.iter().all(|one| *one == content[0]), "two writers mixed");
    };
    thread::scope(|scope| {
        for byte in 0..8 {
            scope.spawn(move || (0..8).for_each(|_| slow(byte)));
        }
    });
}

#[test]
fn a_name_without_a_directory_is_in_the_current_one() {
    assert!(sync_directory(Path::new("file")).is_ok());
}
