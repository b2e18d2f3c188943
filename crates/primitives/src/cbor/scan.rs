//! A scan of CBOR bytes that allocates nothing and refuses non-canonical forms.
//!
//! Checked here: definite lengths, shortest headers, no tags, only false, true, null and 64-bit
//! floats, depth, and that every announced length fits into the bytes that are left. Left to the
//! decoder: the order of map keys and UTF-8.

use super::CborError;

/// The deepest nesting of arrays and maps. The deepest message, a proxy's call in a batch of a threshold account, has 14
/// levels; a decoder recurses no deeper.
pub const MAX_DEPTH: usize = 16;

/// Checks that `bytes` are one value in canonical form.
///
/// # Errors
/// The first violated rule, with its offset.
pub fn scan(bytes: &[u8]) -> Result<(), CborError> {
    let mut scanner = Scanner { bytes, at: 0 };
    // A stack of fixed size instead of recursion: how many values are left at each open level.
    let mut open = [0u64; MAX_DEPTH];
    let mut depth = 0;
    loop {
        let start = scanner.at;
        let children = scanner.value()?;
        if children > 0 {
            let level = open.get_mut(depth).ok_or(CborError::TooDeep { at: start })?;
            *level = children;
            depth += 1;
            continue;
        }
        while depth > 0 {
            open[depth - 1] -= 1;
            if open[depth - 1] > 0 {
                break;
            }
            depth -= 1;
        }
        if depth == 0 {
            break;
        }
    }
    if scanner.at < bytes.len() {
        return Err(CborError::NotCanonical { at: scanner.at, what: "bytes after the value" });
    }
    Ok(())
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    /// Skips one header (and the content of a string); returns the number of values inside it.
    fn value(&mut self) -> Result<u64, CborError> {
        let start = self.at;
        let first = *self.bytes.get(start).ok_or(CborError::Truncated { at: start })?;
        self.at += 1;
        let (major, info) = (first >> 5, first & 0x1f);
        if major == 7 {
            return self.simple(start, info).map(|()| 0);
        }
        if major == 6 {
            return Err(CborError::NotCanonical { at: start, what: "tags are not used" });
        }
        let argument = self.argument(start, info)?;
        let left = (self.bytes.len() - self.at) as u64;
        match major {
            0 | 1 => Ok(0),
            2 | 3 if argument > left => Err(CborError::Truncated { at: start }),
            2 | 3 => {
                self.at += argument as usize;
                Ok(0)
            }
            // Every element takes at least one byte, every map entry two: a longer announcement is
            // refused before anything is allocated for it.
            4 if argument > left => Err(CborError::Truncated { at: start }),
            4 => Ok(argument),
            _ if argument > left / 2 => Err(CborError::Truncated { at: start }),
            _ => Ok(argument * 2),
        }
    }

    /// The number in a header, refused when a shorter header could hold it.
    fn argument(&mut self, start: usize, info: u8) -> Result<u64, CborError> {
        let (width, least) = match info {
            0..=23 => return Ok(u64::from(info)),
            24 => (1, 24),
            25 => (2, 1 << 8),
            26 => (4, 1 << 16),
            27 => (8, 1 << 32),
            31 => return Err(CborError::NotCanonical { at: start, what: "indefinite length" }),
            _ => return Err(CborError::NotCanonical { at: start, what: "reserved header" }),
        };
        let value = self.take(start, width)?;
        if value < least {
            return Err(CborError::NotCanonical { at: start, what: "not the shortest header" });
        }
        Ok(value)
    }

    fn simple(&mut self, start: usize, info: u8) -> Result<(), CborError> {
        match info {
            20..=22 => Ok(()),
            27 => self.take(start, 8).map(|_| ()),
            _ => Err(CborError::NotCanonical {
                at: start,
                what: "only false, true, null and 64-bit floats are used",
            }),
        }
    }

    /// The next `width` bytes as a big-endian number.
    fn take(&mut self, start: usize, width: usize) -> Result<u64, CborError> {
        let bytes = self.bytes.get(self.at..self.at + width).ok_or(CborError::Truncated { at: start })?;
        self.at += width;
        Ok(bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }
}
