//! What the checks found.

use serde::Serialize;

use crate::cli::{Global, output};

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// Nothing to do.
    Ok,
    /// It works, and may fail later.
    Warn,
    /// It keeps the node from its role.
    Fail,
    /// It cannot be checked here.
    Skip,
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) check: &'static str,
    pub(super) verdict: Verdict,
    pub(super) says: String,
    /// The next step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
}

impl Finding {
    /// Nothing to do.
    pub(super) fn ok(check: &'static str, says: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Ok, says: says.into(), next: None }
    }

    /// Cannot be checked, and why.
    pub(super) fn skip(check: &'static str, says: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Skip, says: says.into(), next: None }
    }

    /// May fail later.
    pub(super) fn warn(check: &'static str, says: impl Into<String>, next: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Warn, says: says.into(), next: Some(next.into()) }
    }

    /// Keeps the node from its role.
    pub(super) fn bad(check: &'static str, says: impl Into<String>, next: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Fail, says: says.into(), next: Some(next.into()) }
    }
}

/// A report as JSON.
#[derive(Serialize)]
struct Document<'a> {
    findings: &'a [Finding],
    #[serde(skip_serializing_if = "serde_json::Value::is_null")]
    details: serde_json::Value,
}

/// All findings, in the order of the checks.
#[derive(Debug, Default)]
pub(super) struct Report {
    findings: Vec<Finding>,
}

impl Report {
    /// Those so far.
    #[cfg(test)]
    pub(super) fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Adds one.
    pub(super) fn push(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Prints it. An error when a check failed.
    pub(super) fn show(&self, global: &Global) -> anyhow::Result<()> {
        self.show_with(global, &serde_json::Value::Null)
    }

    /// The same; the JSON also has `details`, where there are any.
    pub(super) fn show_with(&self, global: &Global, details: &impl Serialize) -> anyhow::Result<()> {
        if global.json {
            output::json(&Document { findings: &self.findings, details: serde_json::to_value(details)? })?;
        } else {
            for Finding { check, verdict, says, next } in &self.findings {
                let verdict = match verdict {
                    Verdict::Ok => "ok",
                    Verdict::Warn => "warn",
                    Verdict::Fail => "FAIL",
                    Verdict::Skip => "skip",
                };
                output::line(&format!("{verdict:<5} {check:<12} {says}"))?;
                if let Some(next) = next {
                    output::line(&format!("{:<18} next: {next}", ""))?;
                }
            }
        }
        let failed: Vec<_> =
            self.findings.iter().filter(|one| one.verdict == Verdict::Fail).map(|one| one.check).collect();
        anyhow::ensure!(
            failed.is_empty(),
            "{} of {} checks failed: {}\nfollow the lines that begin with next:",
            failed.len(),
            self.findings.len(),
            failed.join(", ")
        );
        Ok(())
    }
}
