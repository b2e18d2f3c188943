//! Prints data: JSON for programs, tables for people.
//!
//! Everything is escaped here, at the last step before the terminal: what a command prints comes from a node, and
//! through it from experts, upstream servers and the chain. A command only has to see to it that a part of a line cannot
//! pass for a line of its own, which matters in [`note`] and [`text`] alone.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use comfy_table::{ContentArrangement, Table, presets};
use nervure_primitives::Escaped;
use serde::Serialize;

/// Prints `value` as JSON.
pub(crate) fn json<T: Serialize>(value: &T) -> anyhow::Result<()> {
    write(Escaped::json(&serde_json::to_string_pretty(value)?))
}

/// Prints rows under a header; long cells are not wrapped.
pub(crate) fn table<const N: usize>(
    header: &[&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> anyhow::Result<()> {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.to_vec());
    for row in rows {
        // Before the columns are measured.
        table.add_row(row.map(|cell| Escaped::line(&cell).to_string()));
    }
    for text in table.lines() {
        line(text.trim_end())?;
    }
    Ok(())
}

/// Prints one line of data.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    write(Escaped::line(text))
}

/// Prints a document of several lines.
pub(crate) fn text(text: &str) -> anyhow::Result<()> {
    write(Escaped::prose(text))
}

/// Prints a message about the data, to standard error. It may have several lines.
pub(crate) fn note(text: &str) {
    for line in text.split('\n') {
        // A closed standard error does not stop the command.
        let _ = writeln!(io::stderr().lock(), "{}", Escaped::line(line));
    }
}

/// The reader of the standard output has closed it, as `| head` does: the command ends, and has not failed.
#[derive(Debug, thiserror::Error)]
#[error("the reader of the output has closed it")]
pub(crate) struct OutputClosed;

/// The outcome of writing a part of an answer to the standard output.
///
/// # Errors
/// [`OutputClosed`] when no one reads on, so that no more is asked for.
pub(crate) fn written(result: io::Result<()>) -> anyhow::Result<()> {
    let is_closed = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    result.map_err(|error| if is_closed(&error) { OutputClosed.into() } else { error.into() })
}

/// `text` as one word of a shell's command line, for commands that people paste.
pub(crate) fn shell_word(text: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+=:@%,".contains(&byte);
    match !text.is_empty() && text.bytes().all(is_plain) {
        true => text.into(),
        false => format!("'{}'", text.replace('\'', r"'\''")).into(),
    }
}

/// A closed pipe (`| head`) is not an error.
fn write(line: Escaped<'_>) -> anyhow::Result<()> {
    match writeln!(io::stdout().lock(), "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_of_a_shell() {
        assert_eq!(shell_word("/srv/a-b_1.2"), "/srv/a-b_1.2");
        for path in ["/tmp/a b/tést 🦀's", "", "$HOME", "a;b", "it's"] {
            let command = format!("printf %s {}", shell_word(path));
            let output = std::process::Command::new("sh").args(["-c", &command]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), path);
        }
    }
}
