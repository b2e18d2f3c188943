//! The grammar of filters, in winnow.
//!
//! Once a field is read, the rest of the comparison must fit it (`cut_err`), so that an error is about the value and
//! not about the whole filter.

use winnow::{
    ModalResult, Parser,
    ascii::multispace0,
    combinator::{alt, cut_err, delimited, fail, preceded, repeat},
    error::{ContextError, StrContext, StrContextValue},
    token::{take_till, take_while},
};

use super::{FilterError, Match, Node, NumberField, Order, TextField};

/// Deepest nesting of parentheses and `not`.
const MAX_DEPTH: usize = 16;

const FIELDS: &str =
    "a field: context, max_output, price, load, netuid, model, capability, expert, node or byte_level";

/// Parses a whole filter.
pub(super) fn filter(text: &str) -> Result<Node, FilterError> {
    preceded(multispace0, any(0)).parse(text).map_err(|error| {
        let message = match expected(error.inner()) {
            Some(message) => message,
            None => "expected `and`, `or` or the end".into(),
        };
        let column = text.get(..error.offset()).map_or(text.len(), |before| before.chars().count()) + 1;
        FilterError { column, message }
    })
}

fn expected(error: &ContextError) -> Option<String> {
    error.context().find_map(|context| match context {
        StrContext::Expected(StrContextValue::Description(what)) => Some(format!("expected {what}")),
        StrContext::Label(what) => Some((*what).to_owned()),
        _ => None,
    })
}

/// `what` with the space behind it.
fn token<'a, O>(
    what: impl Parser<&'a str, O, winnow::error::ErrMode<ContextError>>,
) -> impl Parser<&'a str, O, winnow::error::ErrMode<ContextError>> {
    winnow::combinator::terminated(what, multispace0)
}

fn describe(what: &'static str) -> StrContext {
    StrContext::Expected(StrContextValue::Description(what))
}

fn word<'a>(input: &mut &'a str) -> ModalResult<&'a str> {
    take_while(1.., |c: char| c.is_ascii_alphanumeric() || c == '_').parse_next(input)
}

/// The keyword `which`, and not a longer word that begins with it.
fn keyword<'a>(which: &'static str) -> impl Parser<&'a str, &'a str, winnow::error::ErrMode<ContextError>> {
    token(word.verify(move |found: &str| found == which))
}

fn any<'a>(depth: usize) -> impl Parser<&'a str, Node, winnow::error::ErrMode<ContextError>> {
    move |input: &mut &'a str| {
        let (first, rest): (Node, Vec<Node>) =
            (all(depth), repeat(0.., preceded(keyword("or"), cut_err(all(depth))))).parse_next(input)?;
        Ok(join(first, rest, Node::Or))
    }
}

fn all<'a>(depth: usize) -> impl Parser<&'a str, Node, winnow::error::ErrMode<ContextError>> {
    move |input: &mut &'a str| {
        let (first, rest): (Node, Vec<Node>) =
            (one(depth), repeat(0.., preceded(keyword("and"), cut_err(one(depth))))).parse_next(input)?;
        Ok(join(first, rest, Node::And))
    }
}

fn join(first: Node, rest: Vec<Node>, how: fn(Vec<Node>) -> Node) -> Node {
    if rest.is_empty() { first } else { how([vec![first], rest].concat()) }
}

fn one<'a>(depth: usize) -> impl Parser<&'a str, Node, winnow::error::ErrMode<ContextError>> {
    move |input: &mut &'a str| {
        if depth > MAX_DEPTH {
            return cut_err(fail.context(StrContext::Label("too deep: simplify the filter")))
                .parse_next(input);
        }
        let negated =
            preceded(keyword("not"), cut_err(|input: &mut &'a str| one(depth + 1).parse_next(input)));
        let close = cut_err(token(')').context(describe("`)`, `and` or `or`")));
        let grouped =
            delimited(token('('), cut_err(|input: &mut &'a str| any(depth + 1).parse_next(input)), close);
        alt((negated.map(|node| Node::Not(Box::new(node))), grouped, comparison)).parse_next(input)
    }
}

fn comparison(input: &mut &str) -> ModalResult<Node> {
    let start = *input;
    let number = |field| (Some(field), None);
    let text = |field| (None, Some(field));
    let (number, text) = match token(word).context(describe(FIELDS)).parse_next(input)? {
        "byte_level" => return Ok(Node::ByteLevel),
        "context" => number(NumberField::Context),
        "max_output" => number(NumberField::MaxOutput),
        "price" => number(NumberField::Price),
        "load" => number(NumberField::Load),
        "netuid" => number(NumberField::Netuid),
        "model" => text(TextField::Model),
        "capability" => text(TextField::Capability),
        "expert" => text(TextField::Expert),
        "node" => text(TextField::Node),
        _ => {
            *input = start;
            return cut_err(fail.context(describe(FIELDS))).parse_next(input);
        }
    };
    match (number, text) {
        (Some(field), _) => {
            let (order, value) = cut_err((order, number_value)).parse_next(input)?;
            Ok(Node::Number { field, order, value })
        }
        (None, Some(field)) => {
            let (how, value) = cut_err((matching, text_value)).parse_next(input)?;
            Ok(Node::Text { field, how, value })
        }
        (None, None) => fail.parse_next(input),
    }
}

fn order(input: &mut &str) -> ModalResult<Order> {
    token(alt((
        "!=".value(Order::NotEqual),
        "<=".value(Order::AtMost),
        ">=".value(Order::AtLeast),
        "=".value(Order::Equal),
        "<".value(Order::Less),
        ">".value(Order::More),
    )))
    .context(describe("one of = != < <= > >="))
    .parse_next(input)
}

fn matching(input: &mut &str) -> ModalResult<Match> {
    token(alt(("!=".value(Match::NotEqual), "=".value(Match::Equal), "~".value(Match::Contains))))
        .context(describe("one of = != ~"))
        .parse_next(input)
}

fn number_value(input: &mut &str) -> ModalResult<u64> {
    token(take_while(1.., '0'..='9').try_map(str::parse::<u64>))
        .context(describe("a whole number, at most 18446744073709551615"))
        .parse_next(input)
}

fn text_value(input: &mut &str) -> ModalResult<String> {
    token(delimited('"', take_till(0.., '"'), '"'))
        .map(ToOwned::to_owned)
        .context(describe("a text in double quotes"))
        .parse_next(input)
}
