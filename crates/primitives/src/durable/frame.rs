//! Frames of an append log: how one is written, and which of a file are whole.
//!
//! A frame is a head of 12 bytes and a payload. The head is the payload's length, the CRC-32 of the payload,
//! and the CRC-32 of these eight bytes, each in four bytes (big-endian).
//!
//! **Claim.** A frame that an append left incomplete is told from one that was whole and is damaged. The
//! checksum of the head says that a length is what was written, so a file that ends within such a frame ends
//! with an append that was cut short, and nothing in its payload is taken for a frame.
//!
//! **Hazard.** A checksum is not a signature: it finds damage, not tampering. When a head is damaged, the
//! search for the next frame reads what may be the payload of the damaged one. [`LogContents::salvage`] may
//! then yield bytes that a peer put into a block: its caller has to verify what it believes.

/// Bytes before the payload of a frame.
pub const FRAME_HEAD_BYTES: usize = 12;

/// Bytes of a head that its own checksum covers.
const CHECKED_HEAD_BYTES: usize = 8;

/// How a log is laid out, and what of it is read.
#[derive(Clone, Copy, Debug)]
pub struct LogFormat {
    /// What the file begins with; empty for none.
    pub magic: &'static [u8],
    /// How many bytes at the beginning of a payload its length field does not count, such as a byte of kind.
    pub uncounted: usize,
    /// Largest payload in bytes.
    pub max_payload: usize,
    /// Largest file in bytes, for reading and for writing.
    pub max_file: u64,
}

/// Why there is no frame at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The last append was cut short: the file ends within this frame or with it, or has only zeros from
    /// here on. A file can have its new size before it has the content.
    #[error("the frame at byte {at} is cut short")]
    Torn {
        /// Where the frame begins.
        at: u64,
    },
    /// The frame is not what was written.
    #[error("the frame at byte {at} is damaged")]
    Damaged {
        /// Where the frame begins.
        at: u64,
        /// Where a whole frame follows. Without one, the rest of the file may be several appends that were
        /// not synced.
        next: Option<u64>,
    },
}

impl FrameError {
    /// Where the frame begins.
    pub const fn at(self) -> u64 {
        match self {
            Self::Torn { at } | Self::Damaged { at, .. } => at,
        }
    }
}

/// A whole frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Where it begins in the file.
    pub at: u64,
    /// Where the next one begins.
    pub end: u64,
    /// What was appended.
    pub payload: &'a [u8],
}

/// What a log held when it was opened.
#[derive(Debug)]
pub struct LogContents {
    pub(super) format: LogFormat,
    pub(super) bytes: Vec<u8>,
}

/// The frames of a log, in their order; ends after the first error.
#[derive(Debug)]
pub struct Frames<'a> {
    format: LogFormat,
    bytes: &'a [u8],
    at: usize,
    failed: bool,
}

/// The first bytes of a frame.
pub(super) struct Head {
    /// Bytes of the payload that the length field counts.
    pub(super) length: usize,
    checksum: u32,
}

impl Head {
    /// Reads a head; `None` when its checksum does not match.
    pub(super) fn read(bytes: &[u8; FRAME_HEAD_BYTES]) -> Option<Self> {
        let word = |from: usize| {
            u32::from_be_bytes([bytes[from], bytes[from + 1], bytes[from + 2], bytes[from + 3]])
        };
        let intact = crc32fast::hash(&bytes[..CHECKED_HEAD_BYTES]) == word(CHECKED_HEAD_BYTES);
        intact.then(|| Self { length: word(0) as usize, checksum: word(4) })
    }
}

impl LogFormat {
    /// The bytes of a frame; `None` when the payload is too large to be read again.
    pub(super) fn frame(&self, payload: &[u8]) -> Option<Vec<u8>> {
        let counted = payload.len().checked_sub(self.uncounted)?;
        // The same limit as on reading: a frame that is written must be readable.
        let length = u32::try_from(counted).ok().filter(|_| counted <= self.max_payload)?;
        let mut bytes = Vec::with_capacity(FRAME_HEAD_BYTES + payload.len());
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&crc32fast::hash(payload).to_be_bytes());
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
        bytes.extend_from_slice(payload);
        Some(bytes)
    }
}

impl LogContents {
    /// The frames, in their order.
    pub fn frames(&self) -> Frames<'_> {
        Frames { format: self.format, bytes: &self.bytes, at: self.format.magic.len(), failed: false }
    }

    /// All whole frames, also those behind damage. See the hazard of this module.
    pub fn salvage(&self) -> impl Iterator<Item = Frame<'_>> {
        let mut frames = self.frames();
        std::iter::from_fn(move || {
            loop {
                match frames.next()? {
                    Ok(frame) => return Some(frame),
                    Err(FrameError::Damaged { next: Some(next), .. }) => {
                        (frames.at, frames.failed) = (usize::try_from(next).ok()?, false);
                    }
                    Err(FrameError::Torn { .. } | FrameError::Damaged { next: None, .. }) => return None,
                }
            }
        })
    }

    /// Size of the file in bytes when it was opened.
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }
}

/// What stands at a place of a file.
enum Found<'a> {
    Whole(&'a [u8]),
    Torn,
    /// Damaged; when the length is intact, the bytes up to the next frame.
    Damaged(Option<usize>),
}

impl<'a> Frames<'a> {
    fn read(&self) -> Result<Frame<'a>, FrameError> {
        let at = self.at as u64;
        match self.find(self.at) {
            Found::Whole(payload) => {
                Ok(Frame { at, end: at + (FRAME_HEAD_BYTES + payload.len()) as u64, payload })
            }
            Found::Torn => Err(FrameError::Torn { at }),
            Found::Damaged(bytes) => {
                // Where the length is known, the payload is not searched: a peer chose what is in it.
                let next = self.next_whole(self.at + bytes.unwrap_or(1));
                Err(FrameError::Damaged { at, next })
            }
        }
    }

    fn find(&self, at: usize) -> Found<'a> {
        let rest = self.bytes.get(at..).unwrap_or_default();
        let Some((head, body)) = rest.split_first_chunk::<FRAME_HEAD_BYTES>() else { return Found::Torn };
        let Some(Head { length, checksum }) = Head::read(head) else {
            let zeros = rest.iter().all(|byte| *byte == 0);
            return if zeros { Found::Torn } else { Found::Damaged(None) };
        };
        // The length comes from a file: no frame of this log was longer.
        if length > self.format.max_payload {
            return Found::Damaged(None);
        }
        match body.get(..length + self.format.uncounted) {
            None => Found::Torn,
            Some(payload) if crc32fast::hash(payload) == checksum => Found::Whole(payload),
            Some(payload) if payload.len() == body.len() => Found::Torn,
            Some(payload) => Found::Damaged(Some(FRAME_HEAD_BYTES + payload.len())),
        }
    }

    /// Where the next whole frame at or behind `from` begins.
    fn next_whole(&self, from: usize) -> Option<u64> {
        let whole = |at: &usize| matches!(self.find_head(*at), Some(Found::Whole(_)));
        (from..self.bytes.len()).find(whole).map(|at| at as u64)
    }

    /// [`Self::find`], without looking at more than the head where that is none.
    fn find_head(&self, at: usize) -> Option<Found<'a>> {
        let head = self.bytes.get(at..)?.first_chunk::<FRAME_HEAD_BYTES>()?;
        Head::read(head).map(|_| self.find(at))
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, FrameError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.at >= self.bytes.len() {
            return None;
        }
        let frame = self.read();
        match &frame {
            Ok(frame) => self.at = frame.end as usize,
            Err(_) => self.failed = true,
        }
        Some(frame)
    }
}
