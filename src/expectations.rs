//! What a response must be, beyond its status, and how expectations go over each other.

use serde::{Deserialize, Serialize};

use crate::http::StatusSet;
use crate::pointer::Pointer;
use crate::rows::{Condition, Pattern};

/// Declares each expectation once: as a field of `Expect`, and as an optional field of `ExpectPatch`.
macro_rules! expectations {
    (
        single { $($(#[$meta:meta])* $name:ident: $type:ty,)* }
        lists { $($(#[$list_meta:meta])* $list:ident: $item:ty,)* }
    ) => {
        /// What a response must be; what is not set is not looked at. A response that is otherwise good and is not so fails
        /// with [`Kind::Expectation`](crate::Kind::Expectation).
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Expect {
            $($(#[$meta])* pub $name: Option<$type>,)*
            $($(#[$list_meta])* #[serde(skip_serializing_if = "Vec::is_empty")] pub $list: Vec<$item>,)*
        }

        /// Some of the expectations in [`Expect`], to be laid over others.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct ExpectPatch {
            $(#[doc = concat!("Replaces [`Expect::", stringify!($name), "`].")] pub $name: Option<$type>,)*
            $(
                #[doc = concat!("Replaces all of [`Expect::", stringify!($list), "`]; an empty list takes it away.")]
                pub $list: Option<Vec<$item>>,
            )*
        }

        impl ExpectPatch {
            pub(crate) fn over(&self, lower: &Expect) -> Expect {
                Expect {
                    $($name: self.$name.clone().or_else(|| lower.$name.clone()),)*
                    $($list: self.$list.clone().unwrap_or_else(|| lower.$list.clone()),)*
                }
            }

            pub(crate) fn over_patch(&self, lower: &ExpectPatch) -> ExpectPatch {
                ExpectPatch {
                    $($name: self.$name.clone().or_else(|| lower.$name.clone()),)*
                    $($list: self.$list.clone().or_else(|| lower.$list.clone()),)*
                }
            }
        }
    };
}

expectations! {
    single {
        /// The statuses that are expected.
        status: StatusSet,
        /// Text that stands in the content.
        text: Box<str>,
        /// A regular expression that is found in the content.
        matches: Pattern,
        /// How many rows `rows` makes.
        rows: RowCount,
        /// The longest time from the permit of the last attempt to its last byte.
        max_ms: u64,
    }
    lists {
        /// What values must be at these places of a JSON response.
        json: (Pointer, Condition),
        /// Places of a JSON response at which nothing must be. null is something.
        absent: Pointer,
        /// Places of a JSON response at which something must be.
        present: Pointer,
        /// Values that fields of the head must have, by name.
        header: (Box<str>, Box<str>),
    }
}

/// How many rows are expected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RowCount {
    /// At least so many.
    pub min: Option<u64>,
    /// At most so many.
    pub max: Option<u64>,
}

impl Expect {
    /// Whether something is expected of the content.
    pub(crate) fn looks_into_content(&self) -> bool {
        let places = !self.json.is_empty() || !self.absent.is_empty() || !self.present.is_empty();
        places || self.text.is_some() || self.matches.is_some() || self.rows.is_some()
    }
}
