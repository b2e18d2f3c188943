//! Whole-number expressions: `+`, `-`, `*`, `/` without a remainder, brackets, and the names of the operators.

use std::iter::Peekable;

/// Deepest nesting of brackets and signs.
const MAX_DEPTH: u8 = 32;

/// Names of operators, in the order in which they are replaced: `multiplied by` before `times`.
const OPERATOR_NAMES: [(&str, &str); 7] = [
    ("multiplied by", "*"),
    ("divided by", "/"),
    ("times", "*"),
    ("minus", "-"),
    ("plus", "+"),
    ("\u{d7}", "*"),
    ("\u{2212}", "-"),
];

/// The value of the expression in a lower-case text. The expression is everything from the first number or bracket to the
/// last; `None` when that is not a valid expression.
pub(super) fn value(text: &str) -> Option<i64> {
    let plain =
        OPERATOR_NAMES.iter().fold(text.replace(',', ""), |text, (word, sign)| text.replace(word, sign));
    let first = plain.find(|c: char| c.is_ascii_digit() || c == '(')?;
    let signs = plain[..first].bytes().rev().take_while(|sign| *sign == b'-').count();
    let last = plain.rfind(|c: char| c.is_ascii_digit() || c == ')')?;
    let tokens = tokens(plain.get(first - signs..=last)?)?;
    // A number without an operator, as in "I have 3 apples", is not an expression.
    tokens.iter().find(|token| matches!(token, Token::Sign('+' | '-' | '*' | '/')))?;
    let mut tokens = tokens.into_iter().peekable();
    let value = sum(&mut tokens, MAX_DEPTH)?;
    tokens.next().is_none().then_some(value)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Number(i64),
    Sign(char),
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let taken = match first {
            '0'..='9' => {
                tokens.push(Token::Number(rest[..digits].parse().ok()?));
                digits
            }
            '+' | '-' | '*' | '/' | '(' | ')' => {
                tokens.push(Token::Sign(first));
                1
            }
            _ => return None,
        };
        rest = rest[taken..].trim_start();
    }
    Some(tokens)
}

type Tokens = Peekable<std::vec::IntoIter<Token>>;

fn sum(tokens: &mut Tokens, depth: u8) -> Option<i64> {
    let mut value = product(tokens, depth)?;
    while let Some(Token::Sign(sign @ ('+' | '-'))) = tokens.peek().copied() {
        tokens.next();
        let next = product(tokens, depth)?;
        value = if sign == '+' { value.checked_add(next)? } else { value.checked_sub(next)? };
    }
    Some(value)
}

fn product(tokens: &mut Tokens, depth: u8) -> Option<i64> {
    let mut value = factor(tokens, depth)?;
    while let Some(Token::Sign(sign @ ('*' | '/'))) = tokens.peek().copied() {
        tokens.next();
        let next = factor(tokens, depth)?;
        value = match sign {
            '*' => value.checked_mul(next)?,
            _ if next != 0 && value.checked_rem(next)? == 0 => value.checked_div(next)?,
            _ => return None,
        };
    }
    Some(value)
}

fn factor(tokens: &mut Tokens, depth: u8) -> Option<i64> {
    let depth = depth.checked_sub(1)?;
    match tokens.next()? {
        Token::Number(number) => Some(number),
        Token::Sign('-') => factor(tokens, depth)?.checked_neg(),
        Token::Sign('(') => {
            let value = sum(tokens, depth)?;
            (tokens.next()? == Token::Sign(')')).then_some(value)
        }
        Token::Sign(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evaluates_expressions() {
        for (text, expected) in [
            ("what is 2 + 3 * 4?", 14),
            ("(2 + 3) * 4", 20),
            ("7 times 8, minus 6", 50),
            ("1,000 divided by 8", 125),
            ("compute -(3 - 10) please", 7),
            ("10 - 2 - 3", 5),
        ] {
            assert_eq!(value(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn refuses_invalid_expressions() {
        for text in [
            "",
            "none",
            "2 +",
            "i have 3 apples",
            "2 and 3",
            "7 / 2",
            "1 / 0",
            "9999999999 * 9999999999",
            "(1",
            "2 3",
        ] {
            assert_eq!(value(text), None, "{text}");
        }
        assert_eq!(value(&format!("{}1{}", "(".repeat(5000), ")".repeat(5000))), None, "nested too deeply");
        assert_eq!(value(&format!("5 * {}1", "-".repeat(5000))), None, "nested too deeply");
    }
}
