//! Prints data: JSON for programs, tables for people.
//!
//! Everything is escaped here, at the last step before the terminal: what a command prints comes from a node, and
//! through it from experts, upstream servers and the chain. A command only has to see to it that a part of a line cannot
//! pass for a line of its own, which matters in [`note`] and [`text`] alone.

use std::io::{self, Write};

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

/// A closed pipe (`| head`) is not an error.
fn write(line: Escaped<'_>) -> anyhow::Result<()> {
    match writeln!(io::stdout().lock(), "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
