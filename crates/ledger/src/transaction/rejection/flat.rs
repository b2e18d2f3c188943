//! Rejections of all subjects as one enum on the wire: what a peer or a client reads is the name of the reason, and the
//! subject is only how the program groups them.

use std::sync::LazyLock;

use serde::{
    Deserialize, Deserializer,
    de::{
        DeserializeSeed, EnumAccess, Error, IntoDeserializer, VariantAccess, Visitor,
        value::{self, EnumAccessDeserializer, StringDeserializer},
    },
    forward_to_deserialize_any,
};

use super::{
    CallRejection, FundsRejection, GovernanceRejection, InclusionRejection, NodeRejection, Rejection,
    StakeRejection, SubnetRejection, ValidatorRejection, WeightsRejection,
};

/// Reads a rejection of the subject that knows its name.
macro_rules! subjects {
    ($($subject:ty),* $(,)?) => {
        /// The names of all rejections.
        static REJECTION_NAMES: LazyLock<Vec<&str>> = LazyLock::new(|| [$(names::<$subject>()),*].concat());

        fn read<'de, A: VariantAccess<'de>>(name: String, access: A) -> Result<Rejection, A::Error> {
            $(if names::<$subject>().contains(&name.as_str()) {
                let named = EnumAccessDeserializer::new(Named { name, access });
                return <$subject>::deserialize(named).map(Rejection::from);
            })*
            Err(A::Error::unknown_variant(&name, &REJECTION_NAMES))
        }
    };
}

subjects!(
    InclusionRejection,
    FundsRejection,
    NodeRejection,
    StakeRejection,
    SubnetRejection,
    WeightsRejection,
    ValidatorRejection,
    GovernanceRejection,
    CallRejection,
);

impl<'de> Deserialize<'de> for Rejection {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_enum("Rejection", &REJECTION_NAMES, AnyRejection)
    }
}

struct AnyRejection;

impl<'de> Visitor<'de> for AnyRejection {
    type Value = Rejection;

    fn expecting(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        formatter.write_str("a rejection")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Self::Value, A::Error> {
        let (name, access) = data.variant()?;
        read(name, access)
    }
}

/// A variant whose name was read.
struct Named<A> {
    name: String,
    access: A,
}

impl<'de, A: VariantAccess<'de>> EnumAccess<'de> for Named<A> {
    type Error = A::Error;
    type Variant = A;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, A), A::Error> {
        let name: StringDeserializer<A::Error> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self.access))
    }
}

/// The names of an enum's variants on the wire, as its decoder asks for them.
fn names<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut names: &[&str] = &[];
    // It always fails: it reads no value.
    let _ = T::deserialize(Names(&mut names));
    names
}

/// Takes down what variants a decoder expects.
struct Names<'n>(&'n mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Names<'_> {
    type Error = value::Error;

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, value::Error> {
        *self.0 = variants;
        Err(value::Error::custom("only the names are read"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, value::Error> {
        Err(value::Error::custom("not an enum"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A name that two subjects know would be read as the first one's.
    #[test]
    fn no_two_subjects_have_a_name_in_common() {
        assert_eq!(
            REJECTION_NAMES.iter().collect::<BTreeSet<_>>().len(),
            REJECTION_NAMES.len(),
            "{REJECTION_NAMES:?}"
        );
    }
}
