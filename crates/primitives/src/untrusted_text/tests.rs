use proptest::prelude::*;

use super::*;
use crate::cbor::{self, CborError, Limits};

type Short = UntrustedText<16>;

#[test]
fn what_would_act_on_a_terminal_or_hide_is_written_out() {
    let hostile = [
        ("\u{1b}[31mred", r"\u{1b}[31mred"),
        ("\u{1b}]0;title\u{7}", r"\u{1b}]0;title\u{7}"),
        ("\u{9b}2J", r"\u{9b}2J"),
        ("a\rb\nc\td", r"a\rb\nc\td"),
        ("a\u{2028}b\u{2029}", r"a\u{2028}b\u{2029}"),
        ("\u{202e}gnp.exe\u{202c}", r"\u{202e}gnp.exe\u{202c}"),
        ("\u{2066}a\u{2069}", r"\u{2066}a\u{2069}"),
        ("pay\u{200b}pal\u{feff}", r"pay\u{200b}pal\u{feff}"),
        ("a\u{200d}b\u{200f}", r"a\u{200d}b\u{200f}"),
        ("a\u{ad}b", r"a\u{ad}b"),
        ("\u{e0041}", r"\u{e0041}"),
        ("\0\u{8}\u{7f}", r"\u{0}\u{8}\u{7f}"),
    ];
    for (text, shown) in hostile {
        assert_eq!(UntrustedText::<64>::new(text).to_string(), shown);
        assert_eq!(format!("{:?}", UntrustedText::<64>::new(text)), format!("\"{shown}\""));
    }
}

#[test]
fn plain_text_of_any_script_is_unchanged() {
    for text in
        ["it cannot be reached", "C:\\model \"x\"", "Qwen/Qwen3-4B", "模型", "модель", "שלום", "❤️", "é"]
    {
        assert_eq!(UntrustedText::<64>::new(text).to_string(), text);
    }
}

#[test]
fn prose_keeps_its_lines_and_joiners_but_no_override() {
    let family = "👩\u{200d}👧\n\tمی\u{200c}خواهم";
    assert_eq!(Escaped::prose(family).to_string(), family);
    assert_eq!(Escaped::prose("a\u{202e}b\u{1b}[2J\rc").to_string(), r"a\u{202e}b\u{1b}[2J\rc");
}

#[test]
fn a_header_gets_printable_ascii() {
    assert_eq!(Escaped::ascii("a/é\r\nset-cookie: x\u{7f}").to_string(), r"a/\u{e9}\r\nset-cookie: x\u{7f}");
}

#[test]
fn a_cut_text_says_so_and_fits() {
    assert_eq!(Short::new("exactly 16 bytes").raw(), "exactly 16 bytes");
    assert_eq!(Short::new("more than 16 bytes").raw(), "more than 16 …");
    assert_eq!(Short::new("ééééééééé").raw(), "éééééé…", "no character is cut in half");
    assert_eq!(Short::whole("more than 16 bytes"), Err(TextTooLong { limit: 16, actual: 18 }));
}

#[test]
fn a_decoder_refuses_a_longer_text_and_cuts_none() {
    let encoded = cbor::encode(&"more than 16 bytes").unwrap();
    assert!(matches!(cbor::decode::<Short>(&encoded, Limits::new(64)), Err(CborError::Structure(_))));
    assert!(serde_json::from_str::<Short>("\"more than 16 bytes\"").is_err());
}

#[test]
fn a_column_is_as_wide_as_what_is_shown() {
    assert_eq!(format!("{:<8}|", Short::new("a\n")), r"a\n     |");
}

/// A text with many of the characters that are escaped.
fn hostile() -> impl Strategy<Value = String> {
    let special = prop::sample::select(vec![
        '\u{1b}',
        '\n',
        '\r',
        '\t',
        '\0',
        '\u{7f}',
        '\u{85}',
        '\u{9b}',
        '\u{202e}',
        '\u{2067}',
        '\u{200b}',
        '\u{200d}',
        '\u{feff}',
        '\u{2028}',
        '\u{e0041}',
        '\\',
        '…',
    ]);
    let any = prop_oneof![any::<char>(), special];
    prop::collection::vec(any, 0..64).prop_map(|all| all.into_iter().collect())
}

/// Whether a terminal shows `c` and does not obey it.
fn is_shown(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

proptest! {
    #[test]
    fn the_bound_holds_and_nothing_shown_acts(text in hostile()) {
        let held = Short::new(&text);
        prop_assert!(held.raw().len() <= 16);
        let shown = held.to_string();
        prop_assert!(shown.chars().all(is_shown), "{shown:?}");
        prop_assert!(shown.len() <= 16 * 6, "at most six bytes of escape for a byte of text");
    }

    #[test]
    fn cutting_and_escaping_again_change_nothing(text in hostile()) {
        let held = Short::new(&text);
        prop_assert_eq!(&Short::new(held.raw()), &held);
        let shown = held.to_string();
        prop_assert_eq!(Escaped::line(&shown).to_string(), shown);
    }

    #[test]
    fn plain_text_is_unchanged(text in "[ -~äöüßéñ你好мир]{0,64}") {
        prop_assert_eq!(Escaped::line(&text).to_string(), text.clone());
        prop_assert_eq!(UntrustedText::<512>::new(&text).to_string(), text);
    }

    #[test]
    fn the_wire_form_is_a_string(text in hostile()) {
        let held = Short::new(&text);
        let bytes = cbor::encode(&held).unwrap();
        prop_assert_eq!(&bytes, &cbor::encode(&held.raw()).unwrap());
        prop_assert_eq!(cbor::decode::<Short>(&bytes, Limits::new(64)).unwrap(), held.clone());
        let json = serde_json::to_string(&held).unwrap();
        prop_assert_eq!(serde_json::from_str::<Short>(&json).unwrap(), held);
    }

    #[test]
    fn an_escaped_document_says_the_same(text in hostile()) {
        let document = serde_json::to_string_pretty(&serde_json::json!({ "text": text })).unwrap();
        let safe = Escaped::json(&document).to_string();
        prop_assert!(safe.chars().all(|c| c == '\n' || is_shown(c)), "{safe:?}");
        let again: serde_json::Value = serde_json::from_str(&safe).unwrap();
        prop_assert_eq!(again["text"].as_str(), Some(text.as_str()));
    }
}
