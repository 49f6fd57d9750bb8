//! Kinds of tokens and nodes of the lossless tree.

macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $name:ident),* $(,)?) => {
        /// What a token or node of the tree is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum SyntaxKind { $($(#[doc = $doc])* $name),* }

        const ALL: &[SyntaxKind] = &[$(SyntaxKind::$name),*];
    };
}

kinds! {
    /// Blanks, and a byte order mark.
    Space,
    /// One line end.
    Newline,
    /// `# …`; `## …` documents what follows.
    Comment,
    /// A word that is not reserved.
    Ident,
    /// A reserved word.
    Keyword,
    /// Digits.
    Number,
    /// Letters or `%` attached to digits.
    Suffix,
    /// `"` that opens or closes text.
    Quote,
    /// Characters of text.
    TextChars,
    /// `\n` and the like.
    Escape,
    /// `{{` or `}}` in text.
    Brace,
    /// `r"…"`.
    RawText,
    /// `\\ …`.
    TextLine,
    /// `{` in text.
    InterpOpen,
    /// `}` in text.
    InterpClose,
    /// Operators and brackets.
    Punct,
    /// A character that stands for nothing.
    Bad,
    /// The root.
    File,
    /// `llmp 1`
    Edition,
    /// An item with its attributes.
    Item,
    /// `@name(…)`
    Attr,
    /// An import.
    Use,
    /// `{ a, b }` of an import.
    UseNames,
    /// `a as b`
    UseName,
    /// A `param` item.
    ParamItem,
    /// A `let` item.
    Let,
    /// A `check` item.
    Check,
    /// A `variant` item.
    Variant,
    /// A `rounds` item.
    Rounds,
    /// `carry a = b`
    Carry,
    /// `next a = b`
    Next,
    /// `kind name …`
    Decl,
    /// Parameters of a chain.
    Params,
    /// One of them.
    Param,
    /// `[a in b]` of a family.
    Index,
    /// `{ … }` with members.
    Block,
    /// `target = value`
    Member,
    /// The path of a member.
    Target,
    /// A type.
    TypeRef,
    /// A type without marks.
    TypeAtom,
    /// `{a: T}`
    RecordType,
    /// `a: T`
    TypeField,
    /// Operands and operators.
    Expr,
    /// `if a then b else c`
    IfExpr,
    /// An operand with what stands before and behind it.
    Unary,
    /// `.name` behind an operand.
    FieldGet,
    /// `[value]` behind an operand.
    IndexGet,
    /// `(…)` behind an operand.
    Args,
    /// One argument.
    Arg,
    /// `(value)`
    Paren,
    /// `{ … }` as an operand.
    Record,
    /// `[…]` as an operand.
    List,
    /// `for a in b` in a list.
    Comp,
    /// `.name` as an operand.
    Column,
    /// `a.b`
    Path,
    /// A number with suffix and unit.
    Quantity,
    /// `"…"`
    Text,
    /// `{value}` in text.
    Interp,
    /// `\\` lines.
    TextBlock,
    /// What could not be read.
    Error,
}

impl SyntaxKind {
    /// Blanks, line ends and comments.
    pub fn is_trivia(self) -> bool {
        matches!(self, SyntaxKind::Space | SyntaxKind::Newline | SyntaxKind::Comment)
    }
}

/// The language of the tree, for rowan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Llmp {}

impl rowan::Language for Llmp {
    type Kind = SyntaxKind;

    fn kind_from_raw(raw: rowan::SyntaxKind) -> SyntaxKind {
        ALL.get(usize::from(raw.0)).copied().unwrap_or(SyntaxKind::Error)
    }

    fn kind_to_raw(kind: SyntaxKind) -> rowan::SyntaxKind {
        rowan::SyntaxKind(kind as u16)
    }
}

/// A node of the lossless tree.
pub type SyntaxNode = rowan::SyntaxNode<Llmp>;
/// A token of the lossless tree.
pub type SyntaxToken = rowan::SyntaxToken<Llmp>;
/// A node or token of the lossless tree.
pub type SyntaxElement = rowan::SyntaxElement<Llmp>;
