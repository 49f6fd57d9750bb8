//! The `family!` and `choices!` macros: unions of constructors and closed sets of names.

/// Declares a union of constructors; each variant is named like its settings struct, which must be in scope.
/// `, yields Model` after the name: its constructors stand where such an item is expected.
///
/// ```
/// llmp_stdlib::def! {
///     /// The rate stays at its peak.
///     Constant = "constant", rev 1 {
///         /// The rate.
///         peak: f64,
///     }
/// }
/// llmp_stdlib::family! {
///     /// How the learning rate moves during a stage.
///     Schedule = "schedule" { Constant }
/// }
/// assert_eq!(Schedule::FAMILY.members[0].name, "constant");
/// ```
#[macro_export]
macro_rules! family {
    ($(#[doc = $doc:literal])* $Ty:ident = $name:literal $(, yields $yields:ident)? { $($Member:ident),* $(,)? }) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub enum $Ty { $(
            #[doc = concat!("See [`struct@", stringify!($Member), "`].")]
            $Member($Member)
        ),* }

        impl $Ty {
            /// The family as the language sees it.
            pub const FAMILY: &'static $crate::Family = {
                static FAMILY: $crate::Family = $crate::Family {
                    name: $name,
                    doc: concat!($($doc, "\n"),*),
                    members: &[$(<$Member as $crate::Settings>::SIGNATURE),*],
                    yields: $crate::family!(@yields $($yields)?),
                };
                &FAMILY
            };
        }

        impl $crate::Arg for $Ty {
            const TY: $crate::Ty = $crate::Ty::Family($Ty::FAMILY);
            fn read(value: &$crate::Value) -> Result<Self, String> {
                let words = |problems: Vec<$crate::Problem>| {
                    problems.into_iter().map(|p| p.message).collect::<Vec<_>>().join("; ")
                };
                match value {
                    $( $crate::Value::Call(call) if call.name == <$Member as $crate::Settings>::SIGNATURE.name =>
                        <$Member as $crate::Settings>::read(&call.args).map($Ty::$Member).map_err(words), )*
                    _ => Err(format!("expected a {}, found {value}", $name)),
                }
            }
        }
    };
    (@yields) => { None };
    (@yields $yields:ident) => { Some($crate::Yields::$yields) };
}

/// Declares a closed set of names.
///
/// ```
/// llmp_stdlib::choices! {
///     /// Number format of matrix products.
///     Precision = "precision" {
///         /// 32-bit floats.
///         F32 = "f32",
///         /// bfloat16 products with 32-bit sums.
///         Bf16 = "bf16",
///     }
/// }
/// assert_eq!(Precision::Bf16.name(), "bf16");
/// ```
#[macro_export]
macro_rules! choices {
    ($(#[doc = $doc:literal])* $Ty:ident = $name:literal { $($(#[doc = $vdoc:literal])* $Value:ident = $text:literal),* $(,)? }) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $Ty { $( $(#[doc = $vdoc])* $Value ),* }

        impl $Ty {
            /// Its name in the language.
            pub fn name(self) -> &'static str {
                match self { $( $Ty::$Value => $text ),* }
            }
        }

        impl $crate::Arg for $Ty {
            const TY: $crate::Ty = {
                static CHOICES: $crate::Choices =
                    $crate::Choices { name: $name, values: &[$(($text, concat!($($vdoc, "\n"),*))),*] };
                $crate::Ty::Choice(&CHOICES)
            };
            fn read(value: &$crate::Value) -> Result<Self, String> {
                match value {
                    $( $crate::Value::Choice(text) if text == $text => Ok($Ty::$Value), )*
                    _ => Err(format!("expected a {}, found {value}", $name)),
                }
            }
        }
    };
}
