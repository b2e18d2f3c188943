//! The program `nervure-next`: `nervure` as it will be after the next upgrade of the protocol, for tests of upgrades.

fn main() -> std::process::ExitCode {
    nervure::cli::run()
}
