//! Finds stop strings in a stream of bytes.
//!
//! Bytes that may be the beginning of a stop string are held back until it is clear that they are not, so that no part
//! of a stop string is ever sent. Fewer bytes are held back than the longest stop string has.

/// Scanner of one stream.
#[derive(Debug)]
pub(crate) struct StopScanner {
    stops: Vec<Vec<u8>>,
    held: Vec<u8>,
}

/// The result of one scanned byte.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ScanStep {
    /// Bytes that belong to the answer.
    pub(crate) bytes: Vec<u8>,
    /// Whether a stop string follows them.
    pub(crate) stopped: bool,
}

impl StopScanner {
    pub(crate) fn new(stops: &[String]) -> Self {
        Self { stops: stops.iter().map(|s| s.as_bytes().to_vec()).collect(), held: Vec::new() }
    }

    /// Adds one byte. After `stopped` the scanner is empty and must not be used again.
    pub(crate) fn push(&mut self, byte: u8) -> ScanStep {
        self.held.push(byte);
        // The longest of those that end here, so that no part of it stays in the answer.
        if let Some(stop) = self.stops.iter().filter(|s| self.held.ends_with(s)).max_by_key(|s| s.len()) {
            self.held.truncate(self.held.len() - stop.len());
            return ScanStep { bytes: std::mem::take(&mut self.held), stopped: true };
        }
        // The longest tail that a stop string can still grow from stays; all before it may go.
        let passed = (0..=self.held.len()).find(|&from| self.may_become_stop(from)).unwrap_or(0);
        ScanStep { bytes: self.held.drain(..passed).collect(), stopped: false }
    }

    fn may_become_stop(&self, from: usize) -> bool {
        let tail = &self.held[from..];
        tail.is_empty() || self.stops.iter().any(|stop| stop.starts_with(tail))
    }

    /// The bytes held back, for an answer that ends for another reason.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scan(stops: &[&str], text: &str) -> (String, bool) {
        let stops: Vec<String> = stops.iter().map(|s| (*s).to_owned()).collect();
        let mut scanner = StopScanner::new(&stops);
        let mut out = Vec::new();
        for byte in text.bytes() {
            let step = scanner.push(byte);
            out.extend(step.bytes);
            if step.stopped {
                return (String::from_utf8(out).unwrap(), true);
            }
            assert!(stops.iter().all(|s| s.is_empty()) || scanner.held.len() < 64);
        }
        out.extend(scanner.finish());
        (String::from_utf8(out).unwrap(), false)
    }

    #[test]
    fn near_matches_pass_and_overlapping_matches_stop() {
        assert_eq!(scan(&["aab"], "aaaab!"), ("aa".into(), true));
        assert_eq!(scan(&["END"], "ENENDx"), ("EN".into(), true));
        assert_eq!(scan(&["END"], "EN"), ("EN".into(), false));
        assert_eq!(scan(&["abcd", "bc"], "xabcd"), ("xa".into(), true));
        assert_eq!(scan(&["\n\n"], "a\nb\n\n"), ("a\nb".into(), true));
        assert_eq!(scan(&[], "plain"), ("plain".into(), false));
    }

    proptest! {
        #[test]
        fn cuts_at_the_first_stop_string_that_is_complete(
            text in "[ab]{0,24}",
            stops in proptest::collection::vec("[ab]{1,4}", 0..3),
        ) {
            let stops: Vec<&str> = stops.iter().map(String::as_str).collect();
            let ends = (1..=text.len()).find(|&end| stops.iter().any(|s| text[..end].ends_with(s)));
            let expected = match ends {
                None => (text.clone(), false),
                Some(end) => {
                    let longest = stops.iter().filter(|s| text[..end].ends_with(**s)).map(|s| s.len()).max();
                    (text[..end - longest.unwrap()].to_owned(), true)
                }
            };
            prop_assert_eq!(scan(&stops, &text), expected);
        }
    }
}
