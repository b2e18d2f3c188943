#!/usr/bin/env python3
"""Prepares the training corpus of the built-in experts from installed Debian packages.

    apt-get install --no-install-recommends rust-src libpython3.11-stdlib manpages manpages-dev \
        debian-handbook debian-faq debian-history debmake-doc developers-reference \
        installation-guide-amd64 debian-kernel-handbook debian-policy jargon-text
    python3 crates/byte-lm/examples/corpus.py OUT

writes OUT/<domain>.train (all training files, each after a NUL byte), OUT/<domain>.heldout (excerpts of
files that the training half has never seen) and OUT/manifest.json (packages, versions, counts, hashes).

The split is by file: files are ordered by the hash of their path, the first ones are held out whole and
only an excerpt of each is kept. A file whose text is a duplicate, or a held-out file that shares more than
a tenth of its long lines with the training half, is dropped, so that memorised text cannot flatter a model.
"""

import gzip
import hashlib
import html.parser
import json
import pathlib
import re
import subprocess
import sys

HELDOUT_FILES = 8
EXCERPT = 4096
MIN_FILE = 2048
MAX_FILE = 400_000
MAX_TRAIN = 12_000_000
SHARED_LINES = 0.10


class Text(html.parser.HTMLParser):
    """The readable text of a page: block elements end a line, white space collapses."""

    BLOCK = {"p", "div", "li", "h1", "h2", "h3", "h4", "h5", "dt", "dd", "tr", "pre", "br", "title"}
    SKIP = {"script", "style", "head", "nav", "pre"}

    def __init__(self):
        super().__init__()
        self.out, self.skip = [], 0

    def handle_starttag(self, tag, attrs):
        self.skip += tag in self.SKIP
        if tag in self.BLOCK:
            self.out.append("\n")

    def handle_endtag(self, tag):
        if tag in self.SKIP and self.skip:
            self.skip -= 1
        if tag in self.BLOCK:
            self.out.append("\n")

    def handle_data(self, data):
        if not self.skip:
            self.out.append(re.sub(r"\s+", " ", data))

    def text(self):
        lines = (line.strip() for line in "".join(self.out).split("\n"))
        return "\n".join(line for line in lines if line) + "\n"


def read(path, kind):
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    text = raw.decode("utf-8", "ignore")
    if kind == "html" and ".html" in path.name:
        page = Text()
        page.feed(text)
        text = page.text()
    if kind == "man":
        body = text.split("\n")
        while body and (body[0].startswith(('.\\"', "'\\\"")) or not body[0].strip()):
            body.pop(0)  # the licence comment on top, the same in hundreds of pages
        text = "\n".join(body)
    return text.encode("utf-8")


DOMAINS = {
    "rust": ("plain", {"rust-src": r"/library/(core|alloc|std|proc_macro|test)/.*\.rs$"}),
    "python": ("plain", {
        "libpython3.11-minimal": r"\.py$",
        "libpython3.11-stdlib": r"\.py$",
    }),
    "prose": ("html", {
        "debian-handbook": r"/html/en-US/[^/]*\.html$",
        "debian-faq": r"\.en\.html$",
        "debian-history": r"\.en\.(html|txt)(\.gz)?$",
        "debmake-doc": r"\.en\.txt\.gz$",
        "developers-reference": r"/developers-reference/[^/]*\.html$",
        "installation-guide-amd64": r"/en/[^/]*\.html$",
        "debian-kernel-handbook": r"\.html$",
        "debian-policy": r"/(ch|ap)-[^/]*\.html$",
        "jargon-text": r"jargon\.txt\.gz$",
    }),
    "manual": ("man", {
        "manpages": r"/man/man[1-8]/[^/]*\.gz$",
        "manpages-dev": r"/man/man[1-8]/[^/]*\.gz$",
    }),
}


def files_of(package, pattern):
    listed = subprocess.run(["dpkg", "-L", package], capture_output=True, text=True, check=True)
    for line in listed.stdout.splitlines():
        path = pathlib.Path(line)
        if re.search(pattern, line) and path.is_file() and not path.is_symlink():
            yield path


def long_lines(text):
    return {line.strip() for line in text.split(b"\n") if len(line.strip()) >= 40}


def collect(kind, packages):
    seen, files = set(), []
    for package, pattern in packages.items():
        for path in files_of(package, pattern):
            text = read(path, kind)
            digest = hashlib.sha256(text).hexdigest()
            if MIN_FILE <= len(text) and digest not in seen:
                seen.add(digest)
                files.append((hashlib.sha256(str(path).encode()).hexdigest(), str(path), text))
    return sorted(files)


def split(files):
    """The held-out excerpts come from files of middling size; huge single books always train."""
    candidates = [f for f in files if EXCERPT <= len(f[2]) <= 120_000][: 3 * HELDOUT_FILES]
    names = {f[1] for f in candidates}
    train = [f for f in files if f[1] not in names]
    known = set().union(*(long_lines(f[2]) for f in train))
    heldout = []
    for file in candidates:
        lines = long_lines(file[2])
        fresh = not lines or len(lines & known) / len(lines) <= SHARED_LINES
        if fresh and len(heldout) < HELDOUT_FILES:
            heldout.append(file)
    return train, heldout


def excerpt(text):
    start = (len(text) - EXCERPT) // 2
    piece = text[start : start + EXCERPT]
    return piece.decode("utf-8", "ignore").encode("utf-8")


def version(package):
    shown = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True)
    return shown.stdout


def main(out):
    out.mkdir(parents=True, exist_ok=True)
    manifest = {}
    for domain, (kind, packages) in DOMAINS.items():
        train, heldout = split(collect(kind, packages))
        body = b"".join(b"\0" + f[2][:MAX_FILE] for f in train)[:MAX_TRAIN]
        held = b"".join(excerpt(f[2]) for f in heldout)
        (out / f"{domain}.train").write_bytes(body)
        (out / f"{domain}.heldout").write_bytes(held)
        manifest[domain] = {
            "packages": {p: version(p) for p in packages},
            "train_files": len(train),
            "train_bytes": len(body),
            "train_sha256": hashlib.sha256(body).hexdigest(),
            "heldout_bytes": len(held),
            "heldout_files": [f[1] for f in heldout],
        }
        print(domain, len(train), "files", len(body), "bytes; held out", len(heldout), len(held))
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
