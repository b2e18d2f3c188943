//! The mock model server as a process of a test. Dropped, it is gone.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use crate::mesh::{Running, nervure};

/// A running mock model server.
pub struct MockServer {
    _process: Running,
    pub url: String,
}

impl MockServer {
    /// Starts one on a free port.
    pub fn start() -> Self {
        let mut child = nervure().arg("mock-server").stderr(Stdio::piped()).spawn().unwrap();
        let mut output = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut output).unwrap();
        let url = output.split_whitespace().find(|word| word.starts_with("http://")).unwrap().to_owned();
        Self { _process: Running(child), url }
    }
}
