#!/bin/sh
# Installs the program `nervure` of the last release for the user that runs it, without root:
#
#   curl -fsSL https://github.com/nervure/nervure/releases/latest/download/install.sh | sh
#
# NERVURE_URL: where the files of the release are, an https://, http:// or file:// URL
# NERVURE_BIN: the directory for the program [default: ~/.local/bin]
#
# The archive has to have the checksum that lies beside it. Both come over the same connection: that protects from damage.
# Who signed the build, `gh attestation verify` says; this script asks it where it is installed and signed in.
set -eu

url=${NERVURE_URL:-https://github.com/nervure/nervure/releases/latest/download}
bin=${NERVURE_BIN:-$HOME/.local/bin}

fail() { # WHAT NEXT
    printf 'error: %s\n  next: %s\n' "$1" "$2" >&2
    exit 1
}

# Everything is in a function, so that a script of which half arrived does nothing.
main() {
    case $(uname -s) in
        Linux) system=unknown-linux-gnu ;;
        Darwin) system=apple-darwin ;;
        *) fail "there is no release for $(uname -s)" "build it: https://github.com/nervure/nervure#start" ;;
    esac
    case $(uname -m) in
        x86_64 | amd64) machine=x86_64 ;;
        aarch64 | arm64) machine=aarch64 ;;
        *) fail "there is no release for $(uname -m)" "build it: https://github.com/nervure/nervure#start" ;;
    esac
    name=nervure-$machine-$system
    command -v curl >/dev/null || fail "curl is not installed" "install curl, and run this again"
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT

    for file in "$name.tar.gz" "$name.tar.gz.sha256"; do
        # A bound: no release is this large, and a false server must not fill the disk.
        curl -fsSL --max-filesize 1000000000 -o "$work/$file" "$url/$file" ||
            fail "cannot fetch $url/$file" "look at the address and the connection, and run this again"
    done
    cd "$work"
    if command -v sha256sum >/dev/null; then
        sha256sum -c "$name.tar.gz.sha256" >/dev/null 2>&1 || bad_checksum
    else
        shasum -a 256 -c "$name.tar.gz.sha256" >/dev/null 2>&1 || bad_checksum
    fi
    if command -v gh >/dev/null && gh auth status >/dev/null 2>&1 && [ -z "${NERVURE_URL:-}" ]; then
        gh attestation verify "$name.tar.gz" --repo nervure/nervure >/dev/null ||
            fail "nobody whom the repository knows has built $name.tar.gz" "report it: SECURITY.md in the repository"
    fi
    tar xzf "$name.tar.gz" "$name/nervure"
    "./$name/nervure" --version >/dev/null ||
        fail "the program does not start on this machine" "it needs glibc 2.35 or newer; or build it: https://github.com/nervure/nervure#start"
    mkdir -p "$bin"
    # In one step, so that a running node keeps its file and no half of a program is ever there.
    cp "$name/nervure" "$bin/.nervure.new"
    chmod 755 "$bin/.nervure.new"
    mv -f "$bin/.nervure.new" "$bin/nervure"
    echo "installed $("$bin/nervure" --version) as $bin/nervure"
    case :$PATH: in
        *:"$bin":*) echo "next: nervure testnet up, or nervure join INVITE" ;;
        *) echo "next: put $bin into PATH (export PATH=\"$bin:\$PATH\"), then: nervure testnet up, or nervure join INVITE" ;;
    esac
}

bad_checksum() {
    fail "$url/$name.tar.gz does not have the checksum that lies beside it; nothing is installed" "run this again; if it stays so, report it: SECURITY.md in the repository"
}

main
