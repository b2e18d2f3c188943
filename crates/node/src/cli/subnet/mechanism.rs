//! A mechanism on the command line: `next-byte,contexts=48`.

use nervure_primitives::MechanismSpec;
use nervure_subnet::mechanism::{build, reference::model_tag};

/// The parameter that names a model.
const MODEL: &str = "model";

/// Parses a mechanism, and refuses one that this version's validators do not know.
pub(super) fn parse(text: &str) -> Result<MechanismSpec, String> {
    let mut parts = text.split(',').map(str::trim);
    let mut spec = MechanismSpec::named(parts.next().unwrap_or_default());
    for part in parts {
        let (name, value) =
            part.split_once('=').ok_or_else(|| format!("'{part}': write PARAMETER=NUMBER"))?;
        let value = match value.parse() {
            Ok(number) => number,
            // The ledger has numbers only: a model is named by that of its name.
            Err(_) if name == MODEL && !value.is_empty() => model_tag(value),
            Err(_) => return Err(format!("{name}: '{value}' is not a whole number")),
        };
        spec = spec.with(name, value);
    }
    build(&spec).map_err(|error| error.to_string())?;
    Ok(spec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_a_mechanism_and_names_mistakes() {
        assert_eq!(parse("next-byte, contexts=48").unwrap().to_string(), "next-byte contexts=48");
        let tag = model_tag("byte-rust");
        assert_eq!(parse("reference,model=byte-rust").unwrap().to_string(), format!("reference model={tag}"));
        for (text, needle) in [
            ("next-bite", "the mechanisms are next-byte"),
            ("next-byte,contexts", "PARAMETER=NUMBER"),
            ("next-byte,contexts=many", "not a whole number"),
            ("next-byte,contexts=0", "out of bounds"),
            ("next-byte,contests=5", "contests"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(needle), "{text}: {error}");
        }
    }
}
