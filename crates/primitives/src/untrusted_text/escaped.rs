//! The one rule for showing text of another party.

use std::fmt::{self, Write};

/// A text in a form that is safe to show: what would act instead of being seen is written out, `\u{1b}` for instance.
///
/// Plain text, of any script, is unchanged. What is escaped, and what it would do:
///
/// - control characters, C0 and C1: they are commands to a terminal; U+009B alone begins an escape sequence;
/// - line and paragraph breaks: they would begin a line that seems to be the program's own;
/// - bidirectional marks, overrides and isolates: they would reorder what follows;
/// - characters without a width (zero-width spaces and joiners, soft hyphens, fillers, tags): two names could look
///   the same and differ.
///
/// The backslash is not escaped, so that an escaped text is plain and can be escaped again without a change.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a> {
    text: &'a str,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Line,
    Prose,
    Ascii,
    Json,
}

impl<'a> Escaped<'a> {
    /// One line: the form of a name, a message or a cell of a table.
    pub const fn line(text: &'a str) -> Self {
        Self { text, form: Form::Line }
    }

    /// Text of several lines, such as an answer: line breaks and tabs stay, and so do the joiners and marks that emoji
    /// and the scripts of India and the Middle East are written with. Overrides and isolates do not.
    pub const fn prose(text: &'a str) -> Self {
        Self { text, form: Form::Prose }
    }

    /// Printable ASCII only, for the value of an HTTP header.
    pub const fn ascii(text: &'a str) -> Self {
        Self { text, form: Form::Ascii }
    }

    /// A whole JSON document. The escapes are JSON's, so that the document says the same as before.
    pub const fn json(document: &'a str) -> Self {
        Self { text: document, form: Form::Json }
    }
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.width().is_some() || f.precision().is_some() {
            // A column of a table: `pad` counts characters, so the escapes have to be there before.
            let mut escaped = String::new();
            self.write(&mut escaped)?;
            return f.pad(&escaped);
        }
        self.write(f)
    }
}

impl Escaped<'_> {
    fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut rest = self.text;
        while let Some(at) = rest.find(|c| self.form.hides(c)) {
            let (plain, from) = rest.split_at(at);
            out.write_str(plain)?;
            let mut after = from.chars();
            if let Some(c) = after.next() {
                self.form.escape(c, out)?;
            }
            rest = after.as_str();
        }
        out.write_str(rest)
    }
}

impl Form {
    /// Whether `c` is escaped.
    fn hides(self, c: char) -> bool {
        match self {
            Self::Line => acts(c) || is_joiner_or_mark(c),
            Self::Prose => acts(c) && !matches!(c, '\n' | '\t'),
            Self::Ascii => !matches!(c, ' '..='~'),
            // Between the values of a document, line breaks are its layout; inside of strings, JSON has escaped them.
            Self::Json => (acts(c) && c != '\n') || is_joiner_or_mark(c),
        }
    }

    fn escape(self, c: char, out: &mut impl Write) -> fmt::Result {
        match self {
            Self::Json => {
                c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(out, "\\u{unit:04x}"))
            }
            Self::Line | Self::Prose | Self::Ascii => write!(out, "{}", c.escape_default()),
        }
    }
}

/// Whether `c` does something instead of being seen. Source: Unicode 16, general categories Cc, Zl and Zp, and the
/// property Default_Ignorable_Code_Point without variation selectors, which emoji need and which hide nothing.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{2028}' | '\u{2029}'                 // line and paragraph separator
            | '\u{202a}'..='\u{202e}'               // bidirectional embeddings and overrides
            | '\u{2066}'..='\u{2069}'               // bidirectional isolates
            | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{feff}' // zero-width spaces, word joiner, invisible operators
            | '\u{206a}'..='\u{206f}'               // deprecated format characters
            | '\u{ad}' | '\u{34f}' | '\u{180e}'     // soft hyphen, grapheme joiner, Mongolian vowel separator
            | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' // Hangul fillers
            | '\u{17b4}' | '\u{17b5}'               // Khmer inherent vowels
            | '\u{fff0}'..='\u{fffb}'               // interlinear annotations
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' // shorthand and musical formats
            | '\u{e0000}'..='\u{e0fff}'             // tags, and the variation selectors of ideographs
        )
}

/// Joiners and directional marks: a part of some scripts in prose, a disguise in a name.
fn is_joiner_or_mark(c: char) -> bool {
    matches!(c, '\u{200c}'..='\u{200f}' | '\u{61c}')
}
