//! Tuples of more than two elements have no names for what they hold: signatures, fields, variants and type aliases use
//! structs instead.
//!
//! Reads the sources as tokens, without a parser: comments, strings, attributes and test modules are left out. Tuples
//! inside function bodies are free.

#![allow(clippy::unwrap_used)]

use std::{fs, path::Path};

/// The crates that are checked.
const CRATES: [&str; 9] = [
    "crates/consensus",
    "crates/light",
    "crates/node",
    "crates/p2p",
    "crates/primitives",
    "crates/router",
    "crates/store",
    "crates/subnet",
    "testnet",
];

/// Most elements of a tuple.
const MAX_ELEMENTS: usize = 2;

/// A word or a sign, and the line that it is on.
#[derive(Clone, Debug)]
struct Token {
    text: String,
    line: usize,
}

/// The tokens of `source`; a string is one token, and so is a lifetime.
fn tokens(source: &str) -> Vec<Token> {
    let chars: Vec<char> = source.chars().collect();
    let (mut tokens, mut at, mut line) = (Vec::new(), 0, 1);
    while at < chars.len() {
        let start = at;
        let rest: String = chars[at..chars.len().min(at + 2)].iter().collect();
        let is_word = |c: &char| c.is_alphanumeric() || *c == '_';
        if rest == "//" {
            at += chars[at..].iter().take_while(|c| **c != '\n').count();
        } else if rest == "/*" {
            at += 2;
            while at < chars.len() && !chars[at..].starts_with(&['*', '/']) {
                at += 1;
            }
            at += 2;
        } else if let Some(end) = string_end(&chars, at) {
            at = end;
            tokens.push(Token { text: "\"\"".into(), line });
        } else if is_word(&chars[at]) {
            at += chars[at..].iter().take_while(|c| is_word(c)).count();
            tokens.push(Token { text: chars[start..at].iter().collect(), line });
        } else if chars[at].is_whitespace() {
            at += 1;
        } else {
            at += if ["->", "=>"].contains(&rest.as_str()) { 2 } else { 1 };
            tokens.push(Token { text: chars[start..at].iter().collect(), line });
        }
        line += chars[start..at.min(chars.len())].iter().filter(|c| **c == '\n').count();
    }
    tokens
}

/// The end of the string, character or lifetime that begins at `at`, if one does.
fn string_end(chars: &[char], at: usize) -> Option<usize> {
    let prefix = chars[at..].iter().take_while(|c| matches!(c, 'b' | 'r' | 'c')).count();
    let hashes = chars[at + prefix..].iter().take_while(|c| **c == '#').count();
    let quote = at + prefix + hashes;
    let is_raw = chars[at..at + prefix].contains(&'r');
    match chars.get(quote)? {
        '"' if is_raw => {
            let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
            (quote + 1..chars.len()).find(|at| chars[*at..].starts_with(&end)).map(|at| at + end.len())
        }
        '"' if hashes == 0 => {
            let mut end = quote + 1;
            while end < chars.len() && chars[end] != '"' {
                end += if chars[end] == '\\' { 2 } else { 1 };
            }
            Some(end + 1)
        }
        '\'' if hashes == 0 && prefix <= 1 => match (chars.get(quote + 1)?, chars.get(quote + 2)) {
            ('\\', _) => (quote + 3..chars.len()).find(|at| chars[*at] == '\'').map(|at| at + 1),
            (_, Some('\'')) => Some(quote + 3),
            _ => Some(quote + 1 + chars[quote + 1..].iter().take_while(|c| c.is_alphanumeric()).count()),
        },
        _ => None,
    }
}

/// Where the bracket that opens at `at` closes.
fn closing(tokens: &[Token], at: usize) -> usize {
    let mut depth = 0usize;
    for (position, token) in tokens.iter().enumerate().skip(at) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return position;
        }
    }
    tokens.len() - 1
}

/// Without attributes and test modules.
fn production(tokens: &[Token]) -> Vec<Token> {
    let (mut kept, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        let is_attribute = tokens[at].text == "#" && tokens.get(at + 1).is_some_and(|next| next.text == "[");
        if !is_attribute {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        let end = closing(tokens, at + 1);
        let words: Vec<&str> = tokens[at + 2..end].iter().map(|token| token.text.as_str()).collect();
        at = end + 1;
        if words == ["cfg", "(", "test", ")"]
            && let Some(body) = (at..tokens.len()).find(|at| matches!(tokens[*at].text.as_str(), "{" | ";"))
        {
            at = if tokens[body].text == "{" { closing(tokens, body) + 1 } else { body + 1 };
        }
    }
    kept
}

/// The number of elements between the brackets at `open` and `close`.
fn elements(tokens: &[Token], open: usize, close: usize) -> usize {
    let (mut depth, mut count, mut is_begun) = (0i32, 0, false);
    for token in &tokens[open + 1..close] {
        match token.text.as_str() {
            "(" | "[" | "{" | "<" => depth += 1,
            ")" | "]" | "}" | ">" => depth -= 1,
            "," if depth == 0 => {
                count += usize::from(is_begun);
                is_begun = false;
                continue;
            }
            _ => {}
        }
        is_begun = true;
    }
    count + usize::from(is_begun)
}

/// The lines of the large tuples among these tokens.
fn large(tokens: &[Token], range: std::ops::Range<usize>) -> Vec<usize> {
    let opens = range.filter(|at| tokens[*at].text == "(");
    let tuples = opens.filter(|at| !matches!(tokens[at - 1].text.as_str(), "Fn" | "FnMut" | "FnOnce" | "fn"));
    let large = tuples.filter(|at| elements(tokens, *at, closing(tokens, *at)) > MAX_ELEMENTS);
    large.map(|at| tokens[at].line).collect()
}

/// The lines of the large tuples in signatures, fields, variants and type aliases of `source`.
fn found(source: &str) -> Vec<usize> {
    let tokens = production(&tokens(source));
    let (mut lines, mut at) = (Vec::new(), 0);
    let next = |from: usize, ends: &[&str]| {
        (from..tokens.len()).find(|at| ends.contains(&tokens[*at].text.as_str())).unwrap_or(tokens.len() - 1)
    };
    while at < tokens.len() {
        let is_named = tokens.get(at + 1).is_some_and(|name| name.text.starts_with(char::is_alphabetic));
        match tokens[at].text.as_str() {
            "fn" if is_named => {
                let open = parameters(&tokens, at + 2);
                let close = closing(&tokens, open);
                let end = next(close, &["{", ";"]);
                lines.extend(large(&tokens, open + 1..close));
                lines.extend(large(&tokens, close + 1..end));
                at = end;
            }
            "struct" | "enum" if is_named => {
                let open = next(at, &["{", "(", ";"]);
                let close = if tokens[open].text == ";" { open } else { closing(&tokens, open) };
                lines.extend(large(&tokens, open + 1..close));
                at = close;
            }
            "type" if is_named => {
                let end = next(at, &[";"]);
                lines.extend(large(&tokens, at + 2..end));
                at = end;
            }
            _ => {}
        }
        at += 1;
    }
    lines
}

/// Where the parameters of a function begin whose name is before `at`: after its generic parameters.
fn parameters(tokens: &[Token], at: usize) -> usize {
    let mut depth = 0i32;
    (at..tokens.len())
        .find(|at| {
            match tokens[*at].text.as_str() {
                "<" => depth += 1,
                ">" => depth -= 1,
                _ => {}
            }
            depth == 0 && tokens[*at].text == "("
        })
        .unwrap_or(at)
}

fn files(directory: &Path, into: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "tests" {
            files(&path, into);
        } else if name.ends_with(".rs") && !["tests.rs", "testing.rs"].contains(&name.as_str()) {
            into.push(path);
        }
    }
}

#[test]
fn has_no_tuples_of_more_than_two_in_signatures_and_fields() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut sources = Vec::new();
    CRATES.iter().for_each(|name| files(&root.join(name).join("src"), &mut sources));
    assert!(sources.len() > 300, "{} files were found", sources.len());
    let mut places = Vec::new();
    for path in &sources {
        let lines = found(&fs::read_to_string(path).unwrap());
        places.extend(lines.iter().map(|line| format!("{}:{line}", path.display())));
    }
    assert!(places.is_empty(), "use a struct with named fields:\n{}", places.join("\n"));
}

#[test]
fn finds_large_tuples_where_they_matter() {
    let count = |source: &str| found(source).len();
    assert_eq!(count("pub fn f(a: (u8, u8, u8)) {}"), 1);
    assert_eq!(count("fn f<T: Fn(A) -> B>((a, b, c): (A, B, C)) -> X;"), 2, "the pattern and its type");
    assert_eq!(count("async fn f(&self) -> Result<(A, B<C, D>, E), F> { (1, 2, 3) }"), 1);
    assert_eq!(count("pub struct S { a: Receiver<(A, B, C)>, b: (A, B) }"), 1);
    assert_eq!(count("struct S(Vec<(A, B, C)>);"), 1);
    assert_eq!(count("enum E { A(X, Y, Z), B { x: (X, Y) } }"), 1);
    assert_eq!(count("pub type T = (A, B, C);"), 1);
}

#[test]
fn leaves_other_brackets_alone() {
    let count = |source: &str| found(source).len();
    assert_eq!(count("fn f(a: A, b: B, c: C) -> (A, Map<B, C>) { let (x, y, z) = (1, 2, 3); }"), 0);
    assert_eq!(count("struct S { f: Box<dyn Fn(A, B, C) -> D>, g: fn(A, B, C) }"), 0);
    assert_eq!(count("#[cfg(test)] mod tests { fn f() -> (A, B, C) {} } fn g() {}"), 0);
    assert_eq!(count("struct S { #[arg(long, value_name = \"A\", env = \"B\")] a: A }"), 0);
    assert_eq!(
        count("// fn f() -> (A, B, C)\nconst S: &str = \"fn f() -> (A, B, C) {\"; fn g<'a>(x: &'a str) {}"),
        0
    );
    assert_eq!(
        count("const R: &str = r#\"fn f(\"a\") -> (A, B, C) {\"#; const C: char = '\"'; fn g() {}"),
        0
    );
}
