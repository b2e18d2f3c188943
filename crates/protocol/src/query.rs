//! The query plane's messages: one request to one expert, and its streamed answer.
//!
//! A [`Frame`] is one byte of kind, four bytes of length (big-endian) and that many bytes. The asker sends one *open*
//! frame. The expert's node sends *chunks*, then one *end* or one *error*. Open, end and error are canonical CBOR; the
//! body of an open frame is an [`ExpertRequest`](crate::ExpertRequest) and each chunk an
//! [`ExpertEvent`](crate::ExpertEvent), both in canonical CBOR again ([`body`]).
//!
//! What a hostile peer can do: announce a long frame and send nothing. The length is checked against the bound of its
//! kind before a byte of the content is read.

pub mod body;
mod error_code;
mod frame;
mod message;

pub use error_code::QueryErrorCode;
pub use frame::{Frame, FrameError, FrameHeader, HEADER_LEN};
pub use message::{ErrorFrame, ErrorText, QueryEnd, QueryOpen};
