//! The `def!` macro: one declaration gives the settings struct, its signature and its reader.

/// Declares a step or a constructor.
///
/// ```
/// llmp_stdlib::def! {
///     /// Keeps documents whose word count lies in a range.
///     WordCount = "word_count", rev 1, rows Docs -> Docs {
///         /// Fewest words kept.
///         min: u64,
///         /// Most words kept.
///         max: u64 = "100_000",
///     }
/// }
/// use llmp_stdlib::Settings;
/// assert_eq!(WordCount::SIGNATURE.params[1].default, Some("100_000"));
/// ```
///
/// After the name, in this order, each part optional: `, source To` for a source, `, rows From -> To` for a row-wise
/// step, `, whole From -> To` for a step that needs the whole set; `, rows_of [From, …]` and `, whole_of [From, …]` for steps that take
/// several states and give the one that they are given; `, to path` (a function `&Record -> State` in place of the fixed state);
/// `, needs [column]`; `, reads path` (a function `&Record -> Vec<String>`: columns that its arguments name); `, adds [column: Type]`;
/// `, gains path` (a function `&Record -> Vec<(String, Column)>`: columns that its arguments name); `, parts [name]`;
/// `, check path` and `, lacks path` (functions `&Self -> Vec<Problem>`: what is wrong, and what this version cannot run).
/// `@planned` before the name: declared, checked and planned, but `llmp run` refuses it before anything starts.
/// A parameter with `@binary` before its name takes values that are usually powers of two, one with `@many` is a list that
/// takes all further positional arguments, one with `@writes` names the models that write the text of the result. Defaults are literals of the language, as text.
#[macro_export]
macro_rules! def {
    (
        $(#[doc = $doc:literal])*
        $(@ $mark:ident)? $Ty:ident = $name:literal, rev $rev:literal
        $(, source $source:ident)? $(, rows $from:ident -> $to:ident)? $(, whole $bfrom:ident -> $bto:ident)?
        $(, rows_of [$($rof:ident),*])? $(, whole_of [$($wof:ident),*])?
        $(, to $state:path)? $(, needs [$($need:literal),*])? $(, reads $reads:path)?
        $(, adds [$($col:ident : $cty:ident),*])? $(, gains $gains:path)?
        $(, parts [$($part:literal),*])? $(, check $check:path)? $(, lacks $lacks:path)?
        { $( $(#[doc = $pdoc:literal])* $(@ $flag:ident)? $p:ident : $pty:ty $(= $default:literal)? ),* $(,)? }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $Ty { $( $(#[doc = $pdoc])* pub $p: $pty ),* }

        impl $crate::Settings for $Ty {
            const SIGNATURE: &'static $crate::Signature = {
                static SIGNATURE: $crate::Signature = $crate::Signature {
                    name: $name,
                    doc: concat!($($doc, "\n"),*),
                    rev: $rev,
                    planned: $crate::def!(@mark $($mark)?),
                    params: &[ $( $crate::Param {
                        name: $crate::signature::plain_name(stringify!($p)),
                        doc: concat!($($pdoc, "\n"),*),
                        ty: <$pty as $crate::Arg>::TY,
                        default: $crate::def!(@default $($default)?),
                        binary: $crate::def!(@flag $($flag)?),
                        many: $crate::def!(@many $($flag)?),
                        writes: $crate::def!(@writes $($flag)?),
                    } ),* ],
                    flow: $crate::def!(@flow
                        [$(source $source)? $(rows $from $to)? $(whole $bfrom $bto)?
                            $(rows_of [$($rof)*])? $(whole_of [$($wof)*])?] [$($state)?]
                        [$($($need),*)?] [$($reads)?] [$($($col : $cty),*)?] [$($gains)?] [$($($part),*)?]),
                    check: |_args| {
                        $( return match <$Ty as $crate::Settings>::read(_args) { Ok(it) => $check(&it), Err(problems) => problems }; )?
                        #[allow(unreachable_code)]
                        Vec::new()
                    },
                    lacks: |_args| {
                        $( return match <$Ty as $crate::Settings>::read(_args) { Ok(it) => $lacks(&it), Err(_) => Vec::new() }; )?
                        #[allow(unreachable_code)]
                        Vec::new()
                    },
                    site: (file!(), line!()),
                };
                &SIGNATURE
            };

            fn read(args: &$crate::Record) -> Result<Self, Vec<$crate::Problem>> {
                #[allow(unused_mut)]
                let mut problems = Vec::new();
                let _ = args;
                $( let $p = $crate::def::take::<$pty>(args, $crate::signature::plain_name(stringify!($p)), &mut problems); )*
                match ($($p,)*) {
                    ($(Some($p),)*) => Ok($Ty { $($p),* }),
                    #[allow(unreachable_patterns)]
                    _ => Err(problems),
                }
            }
        }
    };
    (@default) => { None };
    (@default $default:literal) => { Some($default) };
    (@mark) => { false };
    (@mark planned) => { true };
    (@flag) => { false };
    (@flag binary) => { true };
    (@flag many) => { false };
    (@flag writes) => { false };
    (@many) => { false };
    (@many binary) => { false };
    (@many many) => { true };
    (@many writes) => { false };
    (@writes) => { false };
    (@writes binary) => { false };
    (@writes many) => { false };
    (@writes writes) => { true };
    (@flow [] [] [] [] [] [] []) => { None };
    (@flow [source $to:ident] [$($state:path)?] $($rest:tt)*) => {
        $crate::def!(@some &[], true, $crate::def!(@to $to [$($state)?]), $($rest)*) };
    (@flow [rows $from:ident $to:ident] [$($state:path)?] $($rest:tt)*) => {
        $crate::def!(@some &[$crate::State::$from], true, $crate::def!(@to $to [$($state)?]), $($rest)*) };
    (@flow [whole $from:ident $to:ident] [$($state:path)?] $($rest:tt)*) => {
        $crate::def!(@some &[$crate::State::$from], false, $crate::def!(@to $to [$($state)?]), $($rest)*) };
    (@flow [rows_of [$($from:ident)*]] [$($state:path)?] $($rest:tt)*) => {
        $crate::def!(@some &[$($crate::State::$from),*], true, $crate::def!(@same [$($state)?]), $($rest)*) };
    (@flow [whole_of [$($from:ident)*]] [$($state:path)?] $($rest:tt)*) => {
        $crate::def!(@some &[$($crate::State::$from),*], false, $crate::def!(@same [$($state)?]), $($rest)*) };
    (@to $to:ident []) => { Some(|_| $crate::State::$to) };
    (@to $to:ident [$state:path]) => { Some($state) };
    (@same []) => { None };
    (@same [$state:path]) => { Some($state) };
    (@list) => { |_| Vec::new() };
    (@list $path:path) => { $path };
    (@some $from:expr, $rows:literal, $to:expr,
        [$($need:literal),*] [$($reads:path)?] [$($col:ident : $cty:ident),*] [$($gains:path)?] [$($part:literal),*]) => {
        Some($crate::Flow {
            from: $from,
            to: $to,
            needs: &[$($need),*],
            reads: $crate::def!(@list $($reads)?),
            adds: &[$((stringify!($col), $crate::Column::$cty)),*],
            gains: $crate::def!(@list $($gains)?),
            parts: &[$($part),*],
            row_wise: $rows,
        })
    };
}

/// Takes one argument out of a complete record.
#[doc(hidden)]
pub fn take<T: crate::Arg>(
    args: &crate::Record,
    name: &str,
    problems: &mut Vec<crate::Problem>,
) -> Option<T> {
    let Some(value) = args.get(name) else {
        problems.push(crate::Problem::error("LLMP0103", name, format!("`{name}` is missing")));
        return None;
    };
    T::read(value).map_err(|words| problems.push(crate::Problem::error("LLMP0201", name, words))).ok()
}

#[cfg(test)]
#[expect(unreachable_pub, reason = "the macro declares public structs")]
mod tests {
    use crate::{Problem, Record, Settings, State, Value};

    def! {
        /// Keeps documents whose word count lies in a range.
        WordCount = "word_count", rev 2, rows Docs -> Docs, adds [words: Num], check ordered {
            /// Fewest words kept.
            min: u64,
            /// Most words kept.
            max: u64 = "100_000",
            /// A name that is a keyword in Rust.
            r#as: Option<String> = "none",
        }
    }

    fn by_name(args: &Record) -> Vec<(String, crate::Column)> {
        let name = if let Some(Value::Text(name)) = args.get("name") { Some(name.clone()) } else { None };
        name.into_iter().map(|name| (name, crate::Column::Num)).collect()
    }

    def! {
        /// Keeps the state that it is given, and adds a column that its argument names.
        Mark = "mark", rev 1, rows_of [Docs, Chat], gains by_name {
            /// Name of the column.
            name: String,
            /// All that follows.
            @many rest: Vec<u64> = "[]",
        }
    }

    #[test]
    fn a_step_can_keep_the_state_and_name_its_columns() {
        let flow = Mark::SIGNATURE.flow.unwrap();
        let args: Record = [("name", Value::text("toxic"))].map(|(k, v)| (k.to_owned(), v)).into();
        assert_eq!(flow.gives(&args, Some(State::Chat)), Some(State::Chat));
        assert_eq!(flow.added(&args), [("toxic".to_owned(), crate::Column::Num)]);
        assert!(Mark::SIGNATURE.params[1].many && !flow.is_source());
    }

    fn ordered(it: &WordCount) -> Vec<Problem> {
        if it.min > it.max { vec![Problem::error("LLMP0209", "min", "min is above max")] } else { Vec::new() }
    }

    def! {
        /// Without parameters or data; nothing runs it yet.
        @planned Plain = "plain", rev 1 {}
    }

    #[test]
    fn one_statement_gives_struct_signature_and_reader() {
        let signature = WordCount::SIGNATURE;
        assert_eq!((signature.name, signature.rev, signature.params.len()), ("word_count", 2, 3));
        assert_eq!(signature.params[2].name, "as");
        let flow = signature.flow.unwrap();
        assert_eq!(
            (flow.from, flow.gives(&Record::new(), None), flow.adds.len()),
            (&[State::Docs][..], Some(State::Docs), 1)
        );
        let args: Record = [("min", Value::number(2)), ("max", Value::number(1)), ("as", Value::None)]
            .map(|(k, v)| (k.to_owned(), v))
            .into();
        assert_eq!(WordCount::read(&args).unwrap().min, 2);
        assert_eq!((signature.check)(&args)[0].message, "min is above max");
        assert_eq!(WordCount::read(&Record::new()).unwrap_err().len(), 3);
        assert!(Plain::SIGNATURE.flow.is_none() && Plain::read(&Record::new()).is_ok());
        assert!(Plain::SIGNATURE.planned && !signature.planned);
    }
}
