//! The settings of a gateway: flags, and the table `[gateway]` of the config file.

use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

use nervure_gateway::{HttpLimits, ModelNames};
use serde::Deserialize;

/// One layer of them.
#[derive(Clone, Debug, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct GatewaySettings {
    /// Time for an answer to the HTTP API where the request names none, in seconds, at most 86400; a request may name as
    /// much, or 600 [default: 600]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub answer_deadline: Option<u32>,
    /// Queries to the HTTP API in progress; others wait [default: 64]
    #[arg(long, value_name = "N")]
    pub max_queries: Option<NonZeroU32>,
    /// Queries to the HTTP API that wait, in fair order by key; others are refused [default: 256]
    #[arg(long, value_name = "N")]
    pub max_waiting_queries: Option<NonZeroU32>,
    /// How long a query to the HTTP API waits, in seconds, at most 3600 [default: 10]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub queue_timeout: Option<u32>,
    /// The model or capability that the name 'default' stands for in the OpenAI API
    #[arg(long, value_name = "MODEL")]
    pub default_model: Option<String>,
    /// Names that stand for models or capabilities in the OpenAI API
    #[arg(skip)]
    pub aliases: BTreeMap<String, String>,
}

impl GatewaySettings {
    /// These, else those of `file`.
    pub(crate) fn over(self, file: Self) -> Self {
        Self {
            answer_deadline: self.answer_deadline.or(file.answer_deadline),
            max_queries: self.max_queries.or(file.max_queries),
            max_waiting_queries: self.max_waiting_queries.or(file.max_waiting_queries),
            queue_timeout: self.queue_timeout.or(file.queue_timeout),
            default_model: self.default_model.or(file.default_model),
            aliases: if self.aliases.is_empty() { file.aliases } else { self.aliases },
        }
    }

    /// The limits of the HTTP API.
    pub(crate) fn limits(&self) -> HttpLimits {
        let mut limits = HttpLimits::default();
        // The config file is not bounded by the command line.
        let seconds = |seconds: u32, most: u32| Duration::from_secs(seconds.clamp(1, most).into());
        if let Some(deadline) = self.answer_deadline {
            limits.default_deadline = seconds(deadline, 86_400);
            limits.max_deadline = limits.max_deadline.max(limits.default_deadline);
        }
        limits.max_queries = self.max_queries.unwrap_or(limits.max_queries);
        limits.max_waiting = self.max_waiting_queries.unwrap_or(limits.max_waiting);
        limits.queue_timeout = self.queue_timeout.map_or(limits.queue_timeout, |wait| seconds(wait, 3600));
        limits
    }

    /// The names of the OpenAI API.
    pub(crate) fn model_names(&self) -> ModelNames {
        ModelNames { aliases: self.aliases.clone(), default_model: self.default_model.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_deadline_raises_what_a_request_may_name() {
        let limits =
            |deadline| GatewaySettings { answer_deadline: deadline, ..GatewaySettings::default() }.limits();
        let seconds =
            |limits: &HttpLimits| (limits.default_deadline.as_secs(), limits.max_deadline.as_secs());
        assert_eq!(seconds(&limits(None)), (600, 600));
        assert_eq!(seconds(&limits(Some(60))), (60, 600));
        assert_eq!(seconds(&limits(Some(3600))), (3600, 3600));
        assert_eq!(seconds(&limits(Some(u32::MAX))), (86_400, 86_400));
    }

    #[test]
    fn flags_win_over_the_table_of_the_file() {
        let file: GatewaySettings =
            toml::from_str("max_queries = 3\nqueue_timeout = 7\n[aliases]\n\"gpt-4o-mini\" = \"text.chat\"")
                .unwrap();
        let flags = GatewaySettings { max_queries: NonZeroU32::new(9), ..GatewaySettings::default() };
        let both = flags.over(file);
        let limits = both.limits();
        assert_eq!((limits.max_queries.get(), limits.queue_timeout.as_secs()), (9, 7));
        assert_eq!(both.model_names().aliases["gpt-4o-mini"], "text.chat");
    }
}
