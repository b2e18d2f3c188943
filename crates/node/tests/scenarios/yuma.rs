//! `nervure yuma` on the documentation's example, and on mistakes.

use std::{fs, path::Path};

use crate::mesh::{CommandOutput, nervure};

fn yuma(file: &Path, args: &[&str]) -> CommandOutput {
    CommandOutput::of(nervure().arg("yuma").arg(file).args(args).output().unwrap())
}

#[test]
fn the_example_of_the_documentation_prints_what_the_documentation_says() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let (example, page) =
        (docs.join("examples/yuma.json"), fs::read_to_string(docs.join("yuma.md")).unwrap());
    for args in [&["--table"][..], &["--explain", "4"]] {
        let output = yuma(&example, args).succeeded();
        assert!(page.contains(output.out.trim_end()), "docs/yuma.md does not have:\n{}", output.out);
    }
    let steps = yuma(&example, &[]).succeeded().json();
    assert_eq!(steps["steps"].as_array().unwrap().len(), 2);
    assert_eq!(steps["steps"][1]["incentive_u16"][3], 39_320);
}

#[test]
fn mistakes_are_named_with_their_place() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("case.json");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/examples/yuma.json");
    let text = fs::read_to_string(example).unwrap();
    for (from, to, word) in [
        ("\"n\": 5", "\"n\": 6", "stake"),
        ("\"kappa_u16\": 32767", "\"kappa_u16\": 70000", "line 7"),
        ("[[3, 65535], [4, 32768]]", "[[3, 65535], [9, 32768]]", "weights"),
        ("\"steps\": [", "\"steps\": {", "line"),
        ("\"kind\": \"epoch\"", "\"kind\": \"poem\"", "poem"),
    ] {
        fs::write(&file, text.replacen(from, to, 1)).unwrap();
        let output = yuma(&file, &[]);
        assert_eq!(output.code, 1);
        assert!(output.err.contains(word), "{to}: no '{word}' in {}", output.err);
    }
    assert!(yuma(&dir.path().join("none"), &[]).err.contains("cannot open the case"));
}
