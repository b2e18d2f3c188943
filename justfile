# `just` lists the recipes. Each is a plain cargo command: `just` is a convenience, not a requirement.

_default:
    @just --list

# Formats, lints and checks the docs, as CI does
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Runs all tests
test:
    cargo test --workspace

# Builds the program of the next protocol version, for the test of an upgrade
next:
    cargo build --workspace --features nervure/next-version --bin nervure-next

# Runs the tests of one crate, such as `just unit ledger`
unit crate:
    cargo test -p {{ if crate == "node" { "nervure" } else { "nervure-" + crate } }}

# Starts a mesh of 13 nodes on this machine; Ctrl-C stops it
mesh *args:
    cargo run --release -- testnet up {{args}}

# Writes the generated parts of the docs again
docs:
    UPDATE_DOCS=1 cargo test -p nervure --test architecture
    UPDATE_DOCS=1 cargo test -p nervure --lib docs_list_every_metric
    UPDATE_DOCS=1 cargo test -p nervure --lib reference
    UPDATE_DOCS=1 cargo test -p nervure-gateway reference
    cargo doc --workspace --no-deps

# Builds the book into target/book; needs mdbook (cargo install mdbook)
book:
    if command -v mdbook >/dev/null; then mdbook build docs; else echo "SKIPPED: mdbook is not installed; cargo install mdbook"; fi

# Fuzzes one decoder for a minute; needs nightly and cargo-fuzz
fuzz target seconds="60":
    cargo +nightly fuzz run --features libfuzzer {{target}} -- -max_total_time={{seconds}}

# Runs programs that people use with a gateway, and writes the table of docs/openai.md
compat:
    scripts/compat --docs

# Runs everything that CI runs
ci:
    .ci/run
