//! Names of models that the operator gave, and what an unknown name is near to.
//!
//! Many programs have the name of a model built in. An alias makes such a name mean a model or a capability of the mesh.

use std::collections::BTreeMap;

use nervure_api::{Catalog, QueryTarget, ServiceError};

use super::{App, error::ApiError};

/// The name that stands for the default model.
pub(super) const DEFAULT_NAME: &str = "default";

/// How many names an error suggests.
const SUGGESTIONS: usize = 5;

/// Longest name that is compared with others, in bytes: the work grows with the square.
const MAX_COMPARED_BYTES: usize = 64;

/// Names besides those of models and capabilities.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelNames {
    /// What each name stands for.
    pub aliases: BTreeMap<String, String>,
    /// What `default` stands for.
    pub default_model: Option<String>,
}

impl ModelNames {
    /// What is meant. An alias is not looked up twice, so that none can go round.
    pub(super) fn resolve(&self, target: QueryTarget) -> QueryTarget {
        let QueryTarget::Named(name) = &target else { return target };
        let alias = self.aliases.get(name);
        let meant = alias.or(self.default_model.as_ref().filter(|_| name == DEFAULT_NAME));
        meant.cloned().map_or(target, QueryTarget::Named)
    }
}

/// The error for a query that failed before an answer began. A name that only reads as a capability, such as `gpt-4`, is an
/// unknown model to the client of the OpenAI API; it is told the nearest names.
pub(super) async fn explain(app: &App, target: &QueryTarget, error: ServiceError) -> ApiError {
    let QueryTarget::Named(name) = target else { return error.into() };
    if !matches!(error, ServiceError::NoExpert { .. } | ServiceError::UnknownModel { .. }) {
        return error.into();
    }
    let catalog = app.service.catalog().await;
    let known = nearest(name, &catalog, &app.config.model_names);
    ServiceError::UnknownModel { model: name.clone(), known }.into()
}

/// The known names that need the fewest changes.
fn nearest(name: &str, catalog: &Catalog, names: &ModelNames) -> Vec<String> {
    let models = catalog.models.iter().map(|model| model.model.clone());
    let capabilities = catalog.capabilities.iter().map(|found| found.capability.to_string());
    let known = names.aliases.keys().cloned().chain(models).chain(capabilities);
    let mut known: Vec<_> = known.map(|known| (distance(name, &known), known)).collect();
    known.sort();
    known.dedup();
    known.into_iter().take(SUGGESTIONS).map(|(_, known)| known).collect()
}

/// Changes of a byte between two names (Levenshtein), without regard to case.
fn distance(one: &str, other: &str) -> usize {
    let bytes =
        |text: &str| -> Vec<u8> { text.to_ascii_lowercase().bytes().take(MAX_COMPARED_BYTES).collect() };
    let (one, other) = (bytes(one), bytes(other));
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in other.iter().enumerate() {
            let changed = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_changes_between_names() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!((distance("GPT", "gpt"), distance("", "abc"), distance("abc", "")), (0, 3, 3));
    }

    #[test]
    fn an_alias_stands_for_one_name_and_goes_round_nowhere() {
        let named = |name: &str| QueryTarget::Named(name.into());
        let mut names = ModelNames::default();
        assert_eq!(names.resolve(named("default")), named("default"));
        names.default_model = Some("text.chat".into());
        names.aliases = [("a", "b"), ("b", "a")].map(|(a, b)| (a.into(), b.into())).into();
        assert_eq!(names.resolve(named("default")), named("text.chat"));
        assert_eq!(names.resolve(named("a")), named("b"));
        assert_eq!(names.resolve(QueryTarget::Model("a".into())), QueryTarget::Model("a".into()));
    }
}
