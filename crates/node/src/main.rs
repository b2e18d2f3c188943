//! The program `nervure`: [`nervure::cli`] and nothing else.

fn main() -> std::process::ExitCode {
    nervure::cli::run()
}
