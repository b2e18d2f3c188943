//! The topics that this node follows: the configured ones, and the chosen members of families.

use std::collections::{BTreeMap, BTreeSet};

use crate::{NetworkConfig, TopicFamily, TopicSpec, network::FollowError};

/// The followed topics, by name; bounded by the configured topics and the limits of the families.
pub(super) struct Topics {
    followed: BTreeMap<String, Topic>,
    families: Vec<TopicFamily>,
    /// How many numbers were given to topics, so that none is given twice.
    numbered: u64,
}

/// A topic.
pub(super) struct Topic {
    pub(super) spec: TopicSpec,
    /// Distinguishes it from an earlier topic of the same name, so that rate limits start again.
    pub(super) number: u64,
    /// The prefix of its family; none for those of the configuration.
    family: Option<String>,
}

/// Topics to subscribe to, and topics to unsubscribe from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TopicChange {
    pub(super) added: Vec<String>,
    pub(super) removed: Vec<String>,
}

impl Topics {
    pub(super) fn new(config: &NetworkConfig) -> Self {
        let mut topics = Self { followed: BTreeMap::new(), families: config.families.clone(), numbered: 0 };
        for spec in &config.topics {
            topics.add(spec.clone(), None);
        }
        topics
    }

    fn add(&mut self, spec: TopicSpec, family: Option<String>) {
        self.numbered += 1;
        self.followed.insert(spec.name.clone(), Topic { spec, number: self.numbered, family });
    }

    pub(super) fn get(&self, name: &str) -> Option<&Topic> {
        self.followed.get(name)
    }

    /// Whether a family has this topic, followed or not.
    pub(super) fn is_family_member(&self, name: &str) -> bool {
        self.families.iter().any(|family| family.covers(name))
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.followed.keys().cloned().collect()
    }

    /// Follows these members of the family and no others. A configured topic keeps its settings.
    pub(super) fn set(&mut self, prefix: &str, numbers: &BTreeSet<u16>) -> Result<TopicChange, FollowError> {
        let family = self.families.iter().find(|family| family.each.name == prefix).cloned();
        let family = family.ok_or_else(|| FollowError::NoFamily(prefix.to_owned()))?;
        if numbers.len() > family.most {
            return Err(FollowError::TooMany { asked: numbers.len(), most: family.most });
        }
        let wanted: BTreeSet<String> = numbers.iter().map(|number| family.name(*number)).collect();
        let members = self.followed.iter().filter(|(_, topic)| topic.family.as_deref() == Some(prefix));
        let removed: Vec<String> =
            members.map(|(name, _)| name).filter(|name| !wanted.contains(*name)).cloned().collect();
        removed.iter().for_each(|name| drop(self.followed.remove(name)));
        let added: Vec<String> =
            wanted.into_iter().filter(|name| !self.followed.contains_key(name)).collect();
        for name in &added {
            self.add(TopicSpec { name: name.clone(), ..family.each.clone() }, Some(prefix.to_owned()));
        }
        Ok(TopicChange { added, removed })
    }
}

#[cfg(test)]
mod tests {
    use nervure_primitives::{MeshId, NodeKey};

    use super::*;
    use crate::AddressScope;

    fn topics() -> Topics {
        let key = NodeKey::from_seed(&[1; 32]);
        let mut config = NetworkConfig::new(key, MeshId::from_bytes([1; 32]), AddressScope::Local);
        config.topics = vec![TopicSpec::new("f/1", 9), TopicSpec::new("other", 9)];
        config.families = vec![TopicFamily { each: TopicSpec::new("f/", 7), most: 2 }];
        Topics::new(&config)
    }

    fn change(added: &[&str], removed: &[&str]) -> TopicChange {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        TopicChange { added: owned(added), removed: owned(removed) }
    }

    #[test]
    fn members_are_added_and_removed_and_configured_topics_stay() {
        let mut topics = topics();
        assert_eq!(topics.set("f/", &BTreeSet::from([2, 3])), Ok(change(&["f/2", "f/3"], &[])));
        let before = topics.get("f/3").unwrap().number;
        assert_eq!(topics.set("f/", &BTreeSet::from([1, 3])), Ok(change(&[], &["f/2"])));
        assert_eq!(topics.names(), ["f/1", "f/3", "other"]);
        assert_eq!(
            (topics.get("f/1").unwrap().spec.max_len, topics.get("f/3").unwrap().spec.max_len),
            (9, 7)
        );
        assert_eq!(topics.set("f/", &BTreeSet::new()), Ok(change(&[], &["f/3"])));
        topics.set("f/", &BTreeSet::from([3])).unwrap();
        assert_ne!(
            topics.get("f/3").unwrap().number,
            before,
            "a topic that is followed again gets a new number"
        );
    }

    #[test]
    fn refuses_more_topics_than_the_limit_and_unknown_families() {
        let mut topics = topics();
        topics.set("f/", &BTreeSet::from([7])).unwrap();
        let many = topics.set("f/", &BTreeSet::from([7, 8, 9]));
        assert_eq!(many, Err(FollowError::TooMany { asked: 3, most: 2 }));
        assert!(topics.get("f/7").is_some(), "nothing has changed");
        assert_eq!(topics.set("g/", &BTreeSet::new()), Err(FollowError::NoFamily("g/".into())));
    }

    #[test]
    fn a_member_has_one_name() {
        let topics = topics();
        assert!(topics.is_family_member("f/0") && topics.is_family_member("f/65535"));
        for name in ["f/", "f/65536", "f/01", "f/+1", "f/-1", "f/1/", "f/x", "g/1", "xf/1"] {
            assert!(!topics.is_family_member(name), "{name}");
        }
    }
}
