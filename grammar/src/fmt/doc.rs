//! A small document language: text with places where lines may break, and its printer.

/// Columns that a line may have.
pub(super) const WIDTH: usize = 100;
/// Blanks per level.
const INDENT: usize = 2;

/// A piece of a document.
#[derive(Clone, Debug)]
pub(super) enum Doc {
    /// Text without line ends.
    Text(String),
    /// Text that is printed as it is, line ends included.
    Verbatim(String),
    /// A blank, or a line end where its group is broken.
    Line,
    /// Nothing, or a line end where its group is broken.
    Soft,
    /// A line end.
    Hard,
    /// An empty line.
    Blank,
    /// Text only where the group is broken.
    IfBroken(&'static str),
    /// Text only where the group is not broken.
    IfFlat(String),
    /// Blanks where the group is broken.
    AlignBroken(usize),
    /// One level deeper.
    Nest(Box<Doc>),
    /// Pieces that break together or not at all.
    Group(Box<Doc>),
    /// One after the other.
    All(Vec<Doc>),
    /// A comment: behind what precedes it at its old column, or on a line of its own.
    Comment {
        /// From `#` on.
        text: String,
        /// Whether it had its line for itself.
        own: bool,
        /// Where it stood.
        column: usize,
    },
}

impl Doc {
    pub(super) fn text(text: impl Into<String>) -> Doc {
        Doc::Text(text.into())
    }

    pub(super) fn nest(doc: Doc) -> Doc {
        Doc::Nest(Box::new(doc))
    }

    pub(super) fn group(doc: Doc) -> Doc {
        Doc::Group(Box::new(doc))
    }

    /// Whether it cannot stand on one line.
    pub(super) fn breaks(&self) -> bool {
        match self {
            Doc::Hard | Doc::Blank | Doc::Comment { .. } => true,
            Doc::Verbatim(text) => text.contains('\n'),
            Doc::Nest(doc) | Doc::Group(doc) => doc.breaks(),
            Doc::All(docs) => docs.iter().any(Doc::breaks),
            Doc::Text(_)
            | Doc::Line
            | Doc::Soft
            | Doc::IfBroken(_)
            | Doc::IfFlat(_)
            | Doc::AlignBroken(_) => false,
        }
    }

    /// The document on one line.
    pub(super) fn flat(&self) -> String {
        match self {
            Doc::Text(text) | Doc::Verbatim(text) | Doc::IfFlat(text) => text.clone(),
            Doc::Line => " ".into(),
            Doc::Nest(doc) | Doc::Group(doc) => doc.flat(),
            Doc::All(docs) => docs.iter().map(Doc::flat).collect(),
            Doc::Soft
            | Doc::Hard
            | Doc::Blank
            | Doc::IfBroken(_)
            | Doc::AlignBroken(_)
            | Doc::Comment { .. } => String::new(),
        }
    }
}

#[derive(Default)]
struct Printer {
    out: String,
    column: usize,
    /// A comment was printed: whatever comes next begins a line.
    ended: bool,
    /// What stands before this is never trimmed.
    keep: usize,
}

/// Prints a document; lines end with `\n`.
pub(super) fn print(doc: &Doc) -> String {
    let mut printer = Printer::default();
    let mut todo: Vec<(usize, bool, &Doc)> = vec![(0, true, doc)];
    while let Some((indent, broken, doc)) = todo.pop() {
        match doc {
            Doc::Text(text) => printer.text(text, indent),
            Doc::Verbatim(text) => {
                printer.text(text, indent);
                let last = text.rsplit('\n').next().unwrap_or("");
                printer.column = if text.contains('\n') { last.chars().count() } else { printer.column };
                printer.keep = printer.out.len();
            }
            Doc::IfBroken(text) if broken => printer.text(text, indent),
            Doc::IfFlat(text) if !broken => printer.text(text, indent),
            Doc::AlignBroken(pad) if broken => printer.text(&" ".repeat(*pad), indent),
            Doc::IfBroken(_) | Doc::IfFlat(_) | Doc::AlignBroken(_) => {}
            Doc::Line if !broken => printer.text(" ", indent),
            Doc::Soft if !broken => {}
            Doc::Line | Doc::Soft | Doc::Hard => printer.line(indent),
            Doc::Blank => {
                printer.line(0);
                printer.line(indent);
            }
            Doc::Nest(doc) => todo.push((indent + 1, broken, doc)),
            Doc::Group(doc) => {
                let fits = !doc.breaks() && printer.fits(doc, &todo);
                todo.push((indent, !fits, doc));
            }
            Doc::All(docs) => todo.extend(docs.iter().rev().map(|doc| (indent, broken, doc))),
            Doc::Comment { text, own, column } => printer.comment(text, *own, *column, indent),
        }
    }
    let mut out = printer.out;
    out.truncate(out.trim_end().len().max(printer.keep));
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

impl Printer {
    fn text(&mut self, text: &str, indent: usize) {
        if self.ended {
            self.line(indent);
            if text == " " {
                return;
            }
        }
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    fn line(&mut self, indent: usize) {
        self.ended = false;
        self.out.truncate(self.out.trim_end_matches(' ').len().max(self.keep));
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.out.extend(std::iter::repeat_n(' ', indent * INDENT));
        self.column = indent * INDENT;
    }

    fn comment(&mut self, text: &str, own: bool, column: usize, indent: usize) {
        let line = self.out.rsplit('\n').next().unwrap_or("");
        let fresh = line.trim().is_empty();
        if !fresh && (own || self.ended) {
            self.line(indent);
        } else if !fresh {
            let column = if column < WIDTH { column } else { 0 };
            let pad = column.saturating_sub(self.column).max(2);
            self.out.extend(std::iter::repeat_n(' ', pad));
        }
        self.out.push_str(text.trim_end());
        self.ended = true;
    }

    /// Whether a group fits on the line together with what must follow it there.
    fn fits(&self, doc: &Doc, rest: &[(usize, bool, &Doc)]) -> bool {
        let mut left = WIDTH.saturating_sub(self.column);
        let mut todo: Vec<(bool, &Doc)> = vec![(false, doc)];
        let mut behind = rest.iter().rev().map(|(_, broken, doc)| (*broken, *doc));
        while let Some((broken, doc)) = todo.pop().or_else(|| behind.next()) {
            let width = match doc {
                Doc::Text(text) => text.chars().count(),
                Doc::Verbatim(text) if text.contains('\n') => {
                    return text.find('\n').is_some_and(|at| at <= left);
                }
                Doc::Verbatim(text) => text.chars().count(),
                Doc::Line | Doc::Soft if broken => return true,
                Doc::Hard | Doc::Blank | Doc::Comment { .. } => return true,
                Doc::Line => 1,
                Doc::IfFlat(text) if !broken => text.chars().count(),
                Doc::IfBroken(text) if broken => text.chars().count(),
                Doc::AlignBroken(pad) if broken => *pad,
                Doc::Soft | Doc::IfFlat(_) | Doc::IfBroken(_) | Doc::AlignBroken(_) => 0,
                Doc::Nest(doc) => {
                    todo.push((broken, doc));
                    0
                }
                // A group behind this one may break at its first place.
                Doc::Group(doc) => {
                    todo.push((broken, doc));
                    0
                }
                Doc::All(docs) => {
                    todo.extend(docs.iter().rev().map(|doc| (broken, doc)));
                    0
                }
            };
            if width > left {
                return false;
            }
            left -= width;
        }
        true
    }
}
