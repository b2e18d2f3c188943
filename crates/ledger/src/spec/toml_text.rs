//! The spec as TOML for people: what each setting is, its unit, its default, what breaks.

use std::fmt::Write;

use super::{MeshSpec, NodeSpec, Scope};

/// Writes `spec` so that parsing gives it back.
pub(super) fn render(spec: &MeshSpec) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write(spec, &mut text);
    text
}

fn write(spec: &MeshSpec, out: &mut String) -> std::fmt::Result {
    let scope = match spec.mesh.scope {
        Scope::Local => "local",
        Scope::Public => "public",
    };
    writeln!(out, "# A Nervure mesh. Whoever joins needs exactly this file: everything in it but [network]")?;
    writeln!(out, "# is hashed into the mesh id, and nodes of another mesh id are strangers.\n")?;
    writeln!(out, "[mesh]\n# What people call it: lower-case letters, digits and hyphens.")?;
    writeln!(out, "name = {}", quoted(&spec.mesh.name))?;
    writeln!(
        out,
        "# local: one machine or network. public: the internet, where private addresses that others"
    )?;
    writeln!(out, "# name are never dialled.\nscope = \"{scope}\"\n")?;
    writeln!(
        out,
        "[directory]\n# Seconds after which an expert's record is gone unless renewed (30 local, 900 public)."
    )?;
    writeln!(
        out,
        "# Too long, and a dead miner stays listed; too short, and renewals are all that is heard."
    )?;
    writeln!(out, "record_expiry_seconds = {}\n", spec.directory.record_expiry_seconds)?;
    writeln!(
        out,
        "[network]\n# Nodes to begin with, as multiaddresses that end in /p2p/ID. Not part of the mesh id."
    )?;
    writeln!(out, "bootstrap = [")?;
    for address in &spec.network.bootstrap {
        writeln!(out, "    {},", quoted(address))?;
    }
    writeln!(out, "]")?;
    for subnet in &spec.subnets {
        writeln!(out, "\n[[subnets]]\nnetuid = {}\nname = {}", subnet.netuid, quoted(&subnet.name))?;
    }
    if spec.nodes.is_empty() {
        writeln!(
            out,
            "\n# Registered nodes, each with its id (`nervure key show`), role (validator, miner, gateway), the"
        )?;
        writeln!(out, "# subnets it is registered in, and its stake in base units (10^-9 token):")?;
        writeln!(
            out,
            "# [[nodes]]\n# id = \"12D3KooW...\"\n# role = \"miner\"\n# netuids = [1]\n# stake = 0"
        )?;
    }
    spec.nodes.iter().try_for_each(|node| write_node(node, out))
}

fn write_node(node: &NodeSpec, out: &mut String) -> std::fmt::Result {
    let netuids = node.netuids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    writeln!(out, "\n[[nodes]]\nid = \"{}\"\nrole = \"{}\"", node.id, node.role)?;
    writeln!(out, "netuids = [{netuids}]\nstake = {}", node.stake.base_units())
}

/// A TOML string, escaped where needed.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
