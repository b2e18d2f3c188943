//! [`Patch`]: a change to a list, written as a whole list or as `{uid: value}`.

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};

use super::CaseError;

/// New values by uid.
#[derive(Clone, Debug)]
pub(super) enum Patch<T> {
    /// A list that replaces the old one from uid 0 on.
    All(Vec<T>),
    /// Some uids' values.
    Some(BTreeMap<u16, T>),
}

impl<T> Default for Patch<T> {
    fn default() -> Self {
        Self::Some(BTreeMap::new())
    }
}

impl<T: Clone> Patch<T> {
    /// Calls `set` with the place and the value of every change to a list of `len` entries at `path`.
    pub(super) fn apply(
        &self,
        path: &dyn Fn() -> String,
        len: usize,
        mut set: impl FnMut(usize, T),
    ) -> Result<(), CaseError> {
        match self {
            Self::All(values) if values.len() != len => Err(CaseError::invalid(
                path(),
                format!("{} values for {len} uids; write {{\"uid\": value}} to change some", values.len()),
            )),
            Self::All(values) => {
                values.iter().cloned().enumerate().for_each(|(uid, value)| set(uid, value));
                Ok(())
            }
            Self::Some(values) => {
                if let Some((uid, _)) = values.iter().find(|(uid, _)| usize::from(**uid) >= len) {
                    let path = format!("{}[\"{uid}\"]", path());
                    return Err(CaseError::invalid(path, format!("there are only the uids below {len}")));
                }
                values.iter().for_each(|(uid, value)| set(usize::from(*uid), value.clone()));
                Ok(())
            }
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not an untagged enum, which would lose the place of an error inside.
        deserializer.deserialize_any(PatchVisitor(PhantomData))
    }
}

struct PatchVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for PatchVisitor<T> {
    type Value = Patch<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list with a value for every uid, or an object {\"uid\": value}")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = values.next_element()? {
            list.push(value);
        }
        Ok(Patch::All(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut values: A) -> Result<Self::Value, A::Error> {
        let mut map = BTreeMap::new();
        while let Some((uid, value)) = values.next_entry()? {
            map.insert(uid, value);
        }
        Ok(Patch::Some(map))
    }
}
