//! Bazel's execution log.

use std::collections::BTreeMap;

use serde_json::Value;

/// An action that was executed, or whose result a cache had.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Spawn {
    /// What kind of action it is.
    pub mnemonic: String,
    /// The target that it belongs to.
    pub label: String,
    /// What ran it: `linux-sandbox`, `worker`, `local`, `remote`, `remote cache hit`, …
    pub runner: String,
    /// Its outputs, each with its digest; those of a directory are its files.
    pub outputs: BTreeMap<String, String>,
    /// How long all outputs are together, in bytes.
    pub bytes: u64,
    /// Its inputs, by name.
    pub inputs: Vec<String>,
    /// Its command line.
    pub arguments: Vec<String>,
}

impl Spawn {
    /// Whether it is one of the rules' own kinds.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.mnemonic.starts_with("Cooperage")
    }
}

/// Reads a log in the form of `--execution_log_json_file`.
pub(super) fn read(bytes: &[u8]) -> Vec<Spawn> {
    serde_json::Deserializer::from_slice(bytes)
        .into_iter::<Value>()
        .map(|spawn| spawn.expect("the log holds one JSON object after the other"))
        .map(|spawn| Spawn {
            mnemonic: text(&spawn["mnemonic"]),
            label: text(&spawn["targetLabel"]),
            runner: text(&spawn["runner"]),
            outputs: list(&spawn["actualOutputs"])
                .map(|output| (text(&output["path"]), text(&output["digest"]["hash"])))
                .collect(),
            bytes: list(&spawn["actualOutputs"])
                .filter_map(|output| text(&output["digest"]["sizeBytes"]).parse::<u64>().ok())
                .sum(),
            inputs: list(&spawn["inputs"])
                .map(|input| text(&input["path"]))
                .collect(),
            arguments: list(&spawn["commandArgs"]).map(text).collect(),
        })
        .collect()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_read() {
        let log = br#"{
            "commandArgs": ["tool", "@params"],
            "inputs": [{"path": "a", "digest": {"hash": "00"}}],
            "mnemonic": "CooperageLayer", "targetLabel": "//:l", "runner": "worker",
            "actualOutputs": [{"path": "out/l", "digest": {"hash": "5f", "sizeBytes": "1"}}]
        }{"mnemonic": "Genrule"}"#;
        let spawns = read(log);
        assert_eq!(spawns.len(), 2);
        assert!(spawns[0].is_ours() && !spawns[1].is_ours());
        assert_eq!(spawns[0].outputs["out/l"], "5f");
        assert_eq!(spawns[0].bytes, 1);
        assert_eq!(spawns[0].arguments, ["tool", "@params"]);
    }
}
