//! Commands that this build leaves out: they parse any arguments and fail with the feature to build with.

use std::ffi::OsString;

/// The arguments of a command that is not in this build.
#[derive(Debug, clap::Args)]
pub(crate) struct AbsentArgs {
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    _arguments: Vec<OsString>,
}

/// The error of `command`, which needs the cargo feature `feature`.
pub(crate) fn error(command: &str, feature: &str) -> anyhow::Error {
    anyhow::anyhow!("this build does not have {command}\nbuild with --features {feature}")
}
