//! Values that are given by the names of layers: `rank_pattern` and `alpha_pattern`.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use crate::config::{ends_in, is_path};
use crate::{Error, Result};

/// A JSON object in the order of the file: the first entry that matches counts.
#[derive(Debug, Clone)]
pub(super) struct Patterns<T>(pub(super) Vec<(String, T)>);

impl<T> Default for Patterns<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patterns<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Entries<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Patterns<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of patterns, or null")
            }

            fn visit_unit<E>(self) -> std::result::Result<Self::Value, E> {
                Ok(Patterns::default())
            }

            fn visit_map<M: MapAccess<'de>>(
                self,
                mut map: M,
            ) -> std::result::Result<Self::Value, M::Error> {
                let mut all = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    all.push(entry);
                }
                Ok(Patterns(all))
            }
        }

        deserializer.deserialize_any(Entries(PhantomData))
    }
}

impl<T: Copy> Patterns<T> {
    /// The value of the first entry that matches a layer.
    ///
    /// peft takes the keys for regular expressions of the end of a path, after a dot or from its
    /// beginning. Here they must be names, in which a dot may stand behind a backslash.
    pub(super) fn get(&self, path: &str) -> Option<T> {
        let matches = |key: &str| match key.strip_prefix('^') {
            Some(whole) => path == name(whole),
            None => ends_in(path, &name(key)),
        };
        self.0.iter().find(|(key, _)| matches(key)).map(|(_, value)| *value)
    }

    /// Checks that all keys are names.
    pub(super) fn check(&self, field: &'static str) -> Result<()> {
        match self.0.iter().find(|(key, _)| !is_path(&name(key.trim_start_matches('^')))) {
            None => Ok(()),
            Some((key, _)) => Err(Error::Unsupported {
                field: field.to_owned(),
                value: key.clone(),
                expected: "names of layers, not regular expressions",
            }),
        }
    }
}

/// The name that a key without an anchor at its beginning stands for.
fn name(key: &str) -> String {
    let key = key.strip_suffix('$').unwrap_or(key);
    let key = key.strip_prefix(".*").map_or(key, |rest| rest.trim_start_matches(r"\."));
    key.replace(r"\.", ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(text: &str) -> Patterns<usize> {
        serde_json::from_str(text).expect("valid JSON")
    }

    #[test]
    fn the_first_match_counts() {
        let all = patterns(
            r#"{"qkv": 1, "blocks\\.1.proj": 2, "proj": 3, "^blocks.0.fc1$": 4, ".*\\.fc2": 5}"#,
        );
        all.check("rank_pattern").expect("all are names");
        for (path, expected) in [
            ("blocks.0.attn.qkv", Some(1)),
            ("blocks.1.proj", Some(2)),
            ("blocks.11.proj", Some(3)),
            ("xproj", None),
            ("blocks.0.fc1", Some(4)),
            ("a.blocks.0.fc1", None),
            ("a.fc2", Some(5)),
        ] {
            assert_eq!(all.get(path), expected, "{path}");
        }
        assert!(patterns("null").0.is_empty());
    }

    #[test]
    fn expressions_are_refused_by_name() {
        for key in ["blocks.[0-5].qkv", "a|b", r"blocks\.\d+\.qkv", "", "(qkv)", "a+"] {
            let all = Patterns(vec![("fine".to_owned(), 1), (key.to_owned(), 2)]);
            let Err(Error::Unsupported { value, .. }) = all.check("alpha_pattern") else {
                panic!("`{key}` was accepted");
            };
            assert_eq!(value, key);
        }
    }
}
