//! Formulas of web pages as LaTeX: the author's own where the page holds it, else MathML written out.

/// A `<math>` element that is being read.
#[derive(Debug, Default)]
pub(super) struct Formula {
    alttext: Option<String>,
    display: bool,
    /// Open elements, the formula itself first.
    open: Vec<Node>,
    /// The author's LaTeX.
    annotation: Option<String>,
    /// Elements beyond the deepest that are followed.
    beyond: usize,
}

#[derive(Debug, Default)]
struct Node {
    name: String,
    /// Is it an annotation of LaTeX?
    tex: bool,
    text: String,
    /// Its children, written out.
    children: Vec<String>,
}

/// Deepest nesting that is followed.
const DEEPEST: usize = 200;

impl Formula {
    pub(super) fn new(alttext: Option<&str>, display: bool) -> Formula {
        let alttext = alttext.map(str::to_owned);
        Formula { alttext, display, open: vec![Node::default()], ..Formula::default() }
    }

    /// An element begins.
    pub(super) fn open(&mut self, name: &str, encoding: Option<&str>) {
        if self.open.len() >= DEEPEST {
            self.beyond += 1;
            return;
        }
        let tex =
            name == "annotation" && encoding.is_some_and(|own| own.to_ascii_lowercase().contains("tex"));
        self.open.push(Node { name: name.to_owned(), tex, ..Node::default() });
    }

    /// An element ends; whether it was the formula.
    pub(super) fn close(&mut self, name: &str) -> bool {
        if name == "math" {
            while self.open.len() > 1 {
                self.end();
            }
            return true;
        }
        if self.beyond > 0 {
            self.beyond -= 1;
        } else if let Some(at) = self.open.iter().skip(1).rposition(|node| node.name == name) {
            while self.open.len() > at + 1 {
                self.end();
            }
        }
        false
    }

    /// Ends the last element.
    fn end(&mut self) {
        let Some(node) = self.open.pop() else { return };
        if node.tex {
            self.annotation = Some(node.text);
        } else if !node.name.starts_with("annotation")
            && let Some(parent) = self.open.last_mut()
        {
            let written = written(&node);
            if !written.is_empty() || arguments(&parent.name) > 0 {
                parent.children.push(written);
            }
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        if let Some(node) = self.open.last_mut().filter(|_| self.beyond == 0) {
            node.text.push_str(text);
        }
    }

    /// The formula as LaTeX, and whether it stands on lines of its own.
    pub(super) fn latex(mut self) -> (String, bool) {
        let root = self.open.drain(..).next().unwrap_or_default();
        let latex = self.annotation.or(self.alttext).unwrap_or_else(|| row(&root));
        (plain(latex.trim()).to_owned(), self.display)
    }
}

/// LaTeX without the wrapper that MediaWiki puts around it.
fn plain(latex: &str) -> &str {
    let inner = latex.strip_prefix("{\\displaystyle").or_else(|| latex.strip_prefix("{\\textstyle"));
    inner.and_then(|rest| rest.strip_suffix('}')).map_or(latex, str::trim)
}

/// The LaTeX in the words of an image that shows a formula.
pub(super) fn latex_of_image<'a>(class: &str, alt: &'a str) -> Option<&'a str> {
    let class = class.to_ascii_lowercase();
    let shows = ["math", "tex", "latex"].iter().any(|mark| class.contains(mark))
        || alt.starts_with("{\\displaystyle");
    let alt = alt.trim_matches('$');
    (shows && !alt.is_empty()).then(|| plain(alt))
}

/// Arguments that an element takes by place.
fn arguments(name: &str) -> usize {
    match name {
        "mfrac" | "msup" | "msub" | "mover" | "munder" | "mroot" => 2,
        "msubsup" | "munderover" => 3,
        _ => 0,
    }
}

/// Children one after the other.
fn row(node: &Node) -> String {
    node.children.iter().filter(|child| !child.is_empty()).map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// An element and its children as LaTeX.
fn written(node: &Node) -> String {
    let part = |n: usize| node.children.get(n).map_or("", String::as_str);
    let text = node.text.split_whitespace().collect::<Vec<_>>().join(" ");
    match node.name.as_str() {
        "mi" | "mn" | "mo" => symbol(&text, node.name == "mi"),
        "mtext" | "ms" if !text.is_empty() => format!("\\text{{{text}}}"),
        "mfrac" => format!("\\frac{{{}}}{{{}}}", part(0), part(1)),
        "msup" => format!("{}^{{{}}}", base(part(0)), part(1)),
        "msub" => format!("{}_{{{}}}", base(part(0)), part(1)),
        "msubsup" | "munderover" => format!("{}_{{{}}}^{{{}}}", base(part(0)), part(1), part(2)),
        "munder" => format!("{}_{{{}}}", base(part(0)), part(1)),
        "mover" => match part(1) {
            "¯" | "\\bar" | "‾" => format!("\\overline{{{}}}", part(0)),
            "^" | "\\hat" => format!("\\hat{{{}}}", part(0)),
            "→" | "\\to" => format!("\\vec{{{}}}", part(0)),
            over => format!("{}^{{{over}}}", base(part(0))),
        },
        "msqrt" => format!("\\sqrt{{{}}}", row(node)),
        "mroot" => format!("\\sqrt[{}]{{{}}}", part(1), part(0)),
        "mtable" => format!("\\begin{{matrix}} {} \\end{{matrix}}", node.children.join(" \\\\ ")),
        "mtr" | "mlabeledtr" => node.children.join(" & "),
        "mspace" | "mphantom" => String::new(),
        _ => row(node),
    }
}

/// What an index stands at: braces around more than one sign.
fn base(text: &str) -> String {
    if text.contains(' ') { format!("{{{text}}}") } else { text.to_owned() }
}

/// Signs that have a name.
const SIGNS: &[(&str, &str)] = &[
    ("α", "\\alpha"),
    ("β", "\\beta"),
    ("γ", "\\gamma"),
    ("δ", "\\delta"),
    ("ε", "\\varepsilon"),
    ("ϵ", "\\epsilon"),
    ("ζ", "\\zeta"),
    ("η", "\\eta"),
    ("θ", "\\theta"),
    ("ι", "\\iota"),
    ("κ", "\\kappa"),
    ("λ", "\\lambda"),
    ("μ", "\\mu"),
    ("ν", "\\nu"),
    ("ξ", "\\xi"),
    ("π", "\\pi"),
    ("ρ", "\\rho"),
    ("σ", "\\sigma"),
    ("τ", "\\tau"),
    ("υ", "\\upsilon"),
    ("φ", "\\varphi"),
    ("ϕ", "\\phi"),
    ("χ", "\\chi"),
    ("ψ", "\\psi"),
    ("ω", "\\omega"),
    ("Γ", "\\Gamma"),
    ("Δ", "\\Delta"),
    ("Θ", "\\Theta"),
    ("Λ", "\\Lambda"),
    ("Ξ", "\\Xi"),
    ("Π", "\\Pi"),
    ("Σ", "\\Sigma"),
    ("Φ", "\\Phi"),
    ("Ψ", "\\Psi"),
    ("Ω", "\\Omega"),
    ("≤", "\\le"),
    ("≥", "\\ge"),
    ("≠", "\\ne"),
    ("≈", "\\approx"),
    ("≡", "\\equiv"),
    ("∼", "\\sim"),
    ("∈", "\\in"),
    ("∉", "\\notin"),
    ("⊂", "\\subset"),
    ("⊆", "\\subseteq"),
    ("∪", "\\cup"),
    ("∩", "\\cap"),
    ("∀", "\\forall"),
    ("∃", "\\exists"),
    ("∅", "\\emptyset"),
    ("∞", "\\infty"),
    ("∂", "\\partial"),
    ("∇", "\\nabla"),
    ("∑", "\\sum"),
    ("∏", "\\prod"),
    ("∫", "\\int"),
    ("→", "\\to"),
    ("⇒", "\\Rightarrow"),
    ("⇔", "\\Leftrightarrow"),
    ("↦", "\\mapsto"),
    ("×", "\\times"),
    ("⋅", "\\cdot"),
    ("±", "\\pm"),
    ("−", "-"),
    ("…", "\\ldots"),
    ("⋯", "\\cdots"),
    ("∧", "\\wedge"),
    ("∨", "\\vee"),
    ("¬", "\\neg"),
    ("∘", "\\circ"),
    ("⟨", "\\langle"),
    ("⟩", "\\rangle"),
    ("∥", "\\|"),
    ("{", "\\{"),
    ("}", "\\}"),
    ("%", "\\%"),
];

/// Names that are functions.
const FUNCTIONS: &[&str] = &[
    "arccos", "arcsin", "arctan", "cos", "cosh", "cot", "deg", "det", "dim", "exp", "gcd", "inf", "ker",
    "lim", "ln", "log", "max", "min", "sec", "sin", "sinh", "sup", "tan", "tanh",
];

/// A sign or name as LaTeX writes it.
fn symbol(text: &str, identifier: bool) -> String {
    // Signs without a shape: function application, invisible times, separator, plus.
    let text = text.trim_matches(|c| matches!(c, '\u{2061}'..='\u{2064}' | '\u{200b}'));
    if let Some((_, latex)) = SIGNS.iter().find(|(sign, _)| *sign == text) {
        return (*latex).to_owned();
    }
    match identifier && text.chars().count() > 1 {
        true if FUNCTIONS.contains(&text) => format!("\\{text}"),
        true => format!("\\mathrm{{{text}}}"),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_that_never_end_cost_nothing() {
        let mut formula = Formula::new(None, false);
        for _ in 0..100_000 {
            formula.open("msup", None);
            formula.text("x");
        }
        assert!(formula.open.len() <= DEEPEST);
        assert!(formula.close("math"));
        let (latex, _) = formula.latex();
        assert!(latex.len() < 10_000, "{}", latex.len());
    }

    #[test]
    fn wrappers_of_mediawiki_are_taken_off() {
        assert_eq!(latex_of_image("tex", "$x$"), Some("x"));
        assert_eq!(latex_of_image("", "{\\displaystyle x}"), Some("x"));
        assert_eq!(latex_of_image("photo", "a cat"), None);
    }
}
