//! The members of an object in JSON, not yet taken apart.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of an object in the order in which they were written. Names are as they were written, in quotes, or `String`.
pub(crate) struct RawMembers<'t, K = &'t RawValue>(pub(crate) Vec<(K, &'t RawValue)>);

impl<'t, K: Deserialize<'t>> Deserialize<'t> for RawMembers<'t, K> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<RawMembers<'t, K>, D::Error> {
        struct Members<K>(PhantomData<K>);

        impl<'t, K: Deserialize<'t>> Visitor<'t> for Members<K> {
            type Value = RawMembers<'t, K>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<RawMembers<'t, K>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(RawMembers(members))
            }
        }

        deserializer.deserialize_map(Members(PhantomData))
    }
}
