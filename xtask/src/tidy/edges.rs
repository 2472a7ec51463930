//! Which crate of the workspace may depend on which.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// What one crate may depend on inside the workspace, in normal, build and dev dependencies alike.
struct Rule {
    name: &'static str,
    /// Allowed, optional or not.
    may: &'static [&'static str],
    /// Allowed as an optional dependency only.
    behind_feature: &'static [&'static str],
    /// Whether candle must not be reached, by way of any other package; what only comes in
    /// through `behind_feature` is excepted.
    candle_free: bool,
}

const fn pure(name: &'static str) -> Rule {
    Rule { name, may: &[], behind_feature: &[], candle_free: true }
}

const fn tensors(name: &'static str, may: &'static [&'static str]) -> Rule {
    Rule { name, may, behind_feature: &[], candle_free: false }
}

/// The table of the allowed edges. A new edge is a decision: write it down in
/// `docs/architecture.md`, then here. Crates that do not exist yet are listed too.
const RULES: &[Rule] = &[
    pure("hsi-noise"),
    pure("hsi-metrics"),
    pure("hsi-data"),
    pure("hsi-pictures"),
    Rule { behind_feature: &["grad-ops"], ..pure("hsi-baselines") },
    tensors("grad-ops", &[]),
    tensors("quant-nf4", &["grad-ops"]),
    tensors("mae-vit", &["grad-ops"]),
    tensors("denoise-heads", &["grad-ops"]),
    tensors("peft-lora", &["grad-ops"]),
    tensors("spectralift", &["grad-ops", "hsi-noise"]),
    tensors(
        "hsi-train",
        &[
            "denoise-heads",
            "grad-ops",
            "hsi-baselines",
            "hsi-data",
            "hsi-metrics",
            "hsi-noise",
            "hsi-pictures",
            "mae-vit",
            "peft-lora",
            "quant-nf4",
        ],
    ),
];

/// Packages that may depend on anything and that nothing depends on.
const TOPS: [&str; 2] = ["hsi-examples", "xtask"];

/// The part of `cargo metadata` that is used here.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    packages: Vec<Package>,
    workspace_members: BTreeSet<String>,
    resolve: Resolve,
}

/// A package of `cargo metadata`.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    id: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) license: Option<String>,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
}

impl Package {
    pub(crate) fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    optional: bool,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    dependencies: Vec<String>,
}

impl Metadata {
    pub(crate) fn parse(json: &str) -> Result<Self> {
        serde_json::from_str(json).context("cannot read the output of `cargo metadata`")
    }

    /// The packages of the workspace.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.workspace_members.contains(&package.id))
    }

    /// Members have the edges of their manifests, other packages those that cargo resolved.
    /// Versions of one package are one node.
    pub(crate) fn graph(&self) -> Graph {
        let names: BTreeMap<&str, &str> =
            self.packages.iter().map(|p| (p.id.as_str(), p.name.as_str())).collect();
        let mut graph = Graph::default();
        for node in &self.resolve.nodes {
            let Some(from) = names.get(node.id.as_str()) else {
                continue;
            };
            if !self.workspace_members.contains(&node.id) {
                let to = node.dependencies.iter().filter_map(|id| names.get(id.as_str()));
                graph.add(from, to.map(|to| (*to, false)));
            }
        }
        for package in self.members() {
            graph.members.insert(package.name.clone());
            graph.add(
                &package.name,
                package.dependencies.iter().map(|d| (d.name.as_str(), d.optional)),
            );
        }
        graph
    }
}

/// Packages by name, and their edges.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    members: BTreeSet<String>,
    /// From a package to others, and whether the dependency is optional.
    edges: BTreeMap<String, Vec<(String, bool)>>,
}

impl Graph {
    fn add<'a>(&mut self, from: &str, to: impl Iterator<Item = (&'a str, bool)>) {
        let edges = self.edges.entry(from.to_owned()).or_default();
        edges.extend(to.map(|(name, optional)| (name.to_owned(), optional)));
    }

    fn from(&self, name: &str) -> impl Iterator<Item = (&str, bool)> {
        let edges = self.edges.get(name).into_iter().flatten();
        edges.map(|(to, optional)| (to.as_str(), *optional))
    }

    /// The shortest way from the crate of `rule` to a package of candle.
    fn way_to_candle(&self, rule: &Rule) -> Option<String> {
        let mut ways = BTreeMap::from([(rule.name, rule.name.to_owned())]);
        let mut open = VecDeque::from([rule.name]);
        while let Some(name) = open.pop_front() {
            for (to, optional) in self.from(name) {
                if name == rule.name && optional && rule.behind_feature.contains(&to) {
                    continue;
                }
                if ways.contains_key(to) {
                    continue;
                }
                let way = format!("{} -> {to}", ways[name]);
                if to == "candle" || to.starts_with("candle-") {
                    return Some(way);
                }
                ways.insert(to, way);
                open.push_back(to);
            }
        }
        None
    }
}

/// Compares the graph with the table.
pub(crate) fn check(graph: &Graph) -> Vec<String> {
    let mut problems = Vec::new();
    for name in &graph.members {
        if TOPS.contains(&name.as_str()) {
            continue;
        }
        let Some(rule) = RULES.iter().find(|rule| rule.name == name) else {
            problems.push(format!("{name}: the crate is not in the table of allowed edges"));
            continue;
        };
        let inside = graph.from(name).filter(|(to, _)| graph.members.contains(*to) && to != name);
        let edges: BTreeSet<(&str, bool)> = inside.collect();
        for (to, optional) in edges {
            if rule.behind_feature.contains(&to) {
                if !optional {
                    problems.push(format!("{name}: `{to}` has to be an optional dependency"));
                }
            } else if !rule.may.contains(&to) {
                problems.push(format!("{name}: may not depend on `{to}`"));
            }
        }
        if rule.candle_free
            && let Some(way) = graph.way_to_candle(rule)
        {
            problems.push(format!("{name}: may not reach candle, but does: {way}"));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A graph from lines `from -> to to?`, where `?` marks an optional dependency and the names
    /// before the first `|` are members.
    fn graph(text: &str) -> Graph {
        let (members, lines) = text.split_once('|').expect("members | edges");
        let mut graph = Graph::default();
        graph.members.extend(members.split_whitespace().map(str::to_owned));
        for line in lines.split(',') {
            let Some((from, to)) = line.split_once("->") else {
                continue;
            };
            let to = to.split_whitespace().map(|to| (to.trim_end_matches('?'), to.ends_with('?')));
            graph.add(from.trim(), to);
        }
        graph
    }

    #[test]
    fn allowed_edges_pass() {
        for text in [
            "hsi-data | hsi-data -> ndarray serde, ndarray -> rayon",
            "mae-vit grad-ops | mae-vit -> grad-ops candle-core, grad-ops -> candle-core",
            "hsi-baselines grad-ops | hsi-baselines -> grad-ops? ndarray, grad-ops -> candle-core",
            "xtask hsi-examples hsi-train | hsi-examples -> hsi-train candle-core, xtask -> serde",
            "spectralift hsi-noise grad-ops | spectralift -> grad-ops hsi-noise",
            "hsi-train peft-lora quant-nf4 | hsi-train -> peft-lora quant-nf4 hsi-train",
        ] {
            assert_eq!(check(&graph(text)), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn other_edges_are_found() {
        for (text, want) in [
            (
                "hsi-data hsi-noise | hsi-data -> hsi-noise",
                "hsi-data: may not depend on `hsi-noise`",
            ),
            (
                "mae-vit denoise-heads | mae-vit -> denoise-heads?",
                "mae-vit: may not depend on `denoise-heads`",
            ),
            (
                "hsi-train spectralift | hsi-train -> spectralift",
                "hsi-train: may not depend on `spectralift`",
            ),
            ("grad-ops xtask | grad-ops -> xtask", "grad-ops: may not depend on `xtask`"),
            (
                "hsi-train hsi-examples | hsi-train -> hsi-examples",
                "hsi-train: may not depend on `hsi-examples`",
            ),
            (
                "newcomer | newcomer -> serde",
                "newcomer: the crate is not in the table of allowed edges",
            ),
        ] {
            assert_eq!(check(&graph(text)), [want], "{text}");
        }
    }

    #[test]
    fn candle_is_found_through_other_packages() {
        for (text, way) in [
            (
                "hsi-noise | hsi-noise -> a b, a -> c, c -> candle-core",
                "hsi-noise -> a -> c -> candle-core",
            ),
            ("hsi-noise | hsi-noise -> candle-nn?", "hsi-noise -> candle-nn"),
            (
                "hsi-noise | hsi-noise -> a, a -> b, b -> a candle-core",
                "hsi-noise -> a -> b -> candle-core",
            ),
        ] {
            let want = format!("hsi-noise: may not reach candle, but does: {way}");
            assert_eq!(check(&graph(text)), [want], "{text}");
        }
        let text = "hsi-baselines grad-ops | hsi-baselines -> grad-ops, grad-ops -> candle-core";
        assert_eq!(check(&graph(text)).len(), 2, "has to be optional, and reaches candle");
    }

    #[test]
    fn metadata_becomes_a_graph() {
        let json = r#"{
            "packages": [
                { "id": "1", "name": "hsi-noise", "description": null, "license": "MIT",
                  "manifest_path": "/w/crates/hsi-noise/Cargo.toml",
                  "dependencies": [{ "name": "arrays", "optional": true, "kind": "dev" }] },
                { "id": "2", "name": "arrays", "description": null, "license": null,
                  "manifest_path": "/r/arrays/Cargo.toml",
                  "dependencies": [{ "name": "not-resolved", "optional": true }] },
                { "id": "3", "name": "candle-core", "description": null, "license": null,
                  "manifest_path": "/r/candle-core/Cargo.toml", "dependencies": [] }
            ],
            "workspace_members": ["1"],
            "resolve": { "nodes": [
                { "id": "1", "dependencies": ["2"] },
                { "id": "2", "dependencies": ["3"] },
                { "id": "3", "dependencies": [] }
            ] }
        }"#;
        let metadata = Metadata::parse(json).expect("the part that is used");
        assert_eq!(metadata.members().count(), 1);
        let want = "hsi-noise: may not reach candle, but does: hsi-noise -> arrays -> candle-core";
        assert_eq!(check(&metadata.graph()), [want]);
    }
}
