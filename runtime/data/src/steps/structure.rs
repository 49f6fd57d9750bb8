//! What plain text loses of a page, written into the page as text before extraction: formulas, code, the words of images.

use std::{cell::RefCell, mem};

use html5ever::{
    tendril::StrTendril,
    tokenizer::{BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts},
};

use super::{extract_text::Structure, html, mathml};

/// Which structure is kept.
#[derive(Clone, Copy, Debug, Default)]
struct Kept {
    math: bool,
    code: bool,
    alt: bool,
}

/// The page with formulas, code and images as text in their places. Linear in the length of the page.
pub(super) fn written(page: &str, keep: &[Structure]) -> String {
    let kept = Kept {
        math: keep.contains(&Structure::Math),
        code: keep.contains(&Structure::Code),
        alt: keep.contains(&Structure::AltText),
    };
    let state = State { kept, ..State::default() };
    let tokenizer = Tokenizer::new(Sink { state: RefCell::new(state) }, TokenizerOpts::default());
    let queue = BufferQueue::default();
    queue.push_back(StrTendril::from_slice(page));
    let _ = tokenizer.feed(&queue);
    tokenizer.end();
    let mut state = tokenizer.sink.state.into_inner();
    state.fence();
    state.page
}

struct Sink {
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    kept: Kept,
    page: String,
    /// The formula that is being read.
    formula: Option<mathml::Formula>,
    /// A script or style: its text is written as it is.
    raw: bool,
    /// A script that holds LaTeX.
    latex: Option<String>,
    /// A `<pre>` whose fence is not written yet, with its language.
    fence: Option<String>,
    /// Open `<pre>` elements.
    pre: usize,
    /// The first line end in a `<pre>` is none.
    begins: bool,
}

fn attribute<'a>(tag: &'a Tag, name: &str) -> Option<&'a str> {
    tag.attrs.iter().find(|own| &*own.name.local == name).map(|own| &*own.value)
}

fn escaped(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            _ => out.push(c),
        }
    }
}

/// The language that a class names: `language-rust`, `lang-py`, `highlight-source-c`, `brush: js`.
fn language(tag: &Tag) -> Option<String> {
    const MARKS: [&str; 4] = ["language-", "lang-", "highlight-source-", "sourceCode-"];
    let class = attribute(tag, "class")?;
    let named =
        class.split_whitespace().find_map(|word| MARKS.iter().find_map(|mark| word.strip_prefix(mark)));
    let brush = || class.split_once("brush:")?.1.trim().split([';', ' ']).next();
    let name = named.or_else(brush)?.to_lowercase();
    let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "+#-_.".contains(c));
    plain.then_some(name)
}

impl State {
    /// Writes the fence of a `<pre>` that has begun.
    fn fence(&mut self) {
        if let Some(language) = self.fence.take() {
            self.page.push_str("```");
            self.page.push_str(&language);
            self.page.push('\n');
            self.begins = true;
        }
    }

    fn formula(&mut self, latex: &str, display: bool) {
        let latex = html::collapse(latex);
        if latex.is_empty() {
            return;
        }
        let mark = if display { "$$" } else { "$" };
        self.page.push_str("<span>");
        escaped(&format!(" {mark}{latex}{mark} "), &mut self.page);
        self.page.push_str("</span>");
    }

    fn tag(&mut self, tag: &Tag) {
        let name: &str = &tag.name;
        let start = tag.kind == TagKind::StartTag;
        if self.math(tag, name, start) {
            return;
        }
        match (name, start) {
            ("img", true) if self.kept.alt || self.kept.math => {
                let alt = attribute(tag, "alt").unwrap_or_default().trim();
                let latex = mathml::latex_of_image(attribute(tag, "class").unwrap_or_default(), alt);
                match latex.filter(|_| self.kept.math) {
                    Some(latex) => self.formula(latex, false),
                    None if self.kept.alt && !alt.is_empty() => {
                        self.page.push_str("<span> ");
                        escaped(alt, &mut self.page);
                        self.page.push_str(" </span>");
                    }
                    None => self.element(tag),
                }
            }
            ("pre", true) if self.kept.code => {
                self.element(tag);
                self.pre += 1;
                if self.pre == 1 {
                    self.fence = Some(language(tag).unwrap_or_default());
                }
            }
            ("pre", false) if self.kept.code && self.pre > 0 => {
                self.fence();
                self.pre -= 1;
                if self.pre == 0 {
                    let line = if self.page.ends_with('\n') { "```" } else { "\n```" };
                    self.page.push_str(line);
                }
                self.element(tag);
            }
            ("code", true) if self.kept.code && self.pre > 0 => {
                if let Some(own) = self.fence.as_mut().filter(|own| own.is_empty()) {
                    *own = language(tag).unwrap_or_default();
                }
                self.element(tag);
            }
            ("code", _) if self.kept.code && self.pre == 0 => {
                if start {
                    self.element(tag);
                }
                self.page.push('`');
                if !start {
                    self.element(tag);
                }
            }
            _ => self.element(tag),
        }
    }

    /// Takes what belongs to a formula.
    fn math(&mut self, tag: &Tag, name: &str, start: bool) -> bool {
        if !self.kept.math {
            return false;
        }
        if let Some(formula) = &mut self.formula {
            if start {
                formula.open(name, attribute(tag, "encoding"));
                if tag.self_closing {
                    formula.close(name);
                }
            } else if formula.close(name) {
                let formula = self.formula.take();
                let (latex, display) = formula.map(mathml::Formula::latex).unwrap_or_default();
                self.formula(&latex, display);
            }
            return true;
        }
        match (name, start) {
            ("math", true) if !tag.self_closing => {
                let display = attribute(tag, "display") == Some("block");
                self.formula = Some(mathml::Formula::new(attribute(tag, "alttext"), display));
                true
            }
            ("script", true) if attribute(tag, "type").is_some_and(|kind| kind.starts_with("math/tex")) => {
                self.latex = Some(String::new());
                true
            }
            ("script", false) if self.latex.is_some() => {
                let latex = self.latex.take().unwrap_or_default();
                self.formula(&latex, false);
                true
            }
            _ => false,
        }
    }

    /// Writes a tag as it is.
    fn element(&mut self, tag: &Tag) {
        if tag.kind == TagKind::EndTag {
            self.page.push_str("</");
            self.page.push_str(&tag.name);
            self.page.push('>');
            self.raw = false;
            return;
        }
        self.page.push('<');
        self.page.push_str(&tag.name);
        for own in &tag.attrs {
            self.page.push(' ');
            self.page.push_str(&own.name.local);
            self.page.push_str("=\"");
            escaped(&own.value, &mut self.page);
            self.page.push('"');
        }
        self.page.push_str(if tag.self_closing { "/>" } else { ">" });
        self.raw = matches!(&*tag.name, "script" | "style" | "iframe" | "noembed" | "noframes" | "xmp");
    }

    fn characters(&mut self, text: &str) {
        if let Some(latex) = &mut self.latex {
            latex.push_str(text);
        } else if let Some(formula) = &mut self.formula {
            formula.text(text);
        } else if self.raw {
            self.page.push_str(text);
        } else {
            if self.fence.is_some() {
                self.fence();
            }
            let begins = mem::take(&mut self.begins);
            escaped(text.strip_prefix('\n').filter(|_| begins).unwrap_or(text), &mut self.page);
        }
    }
}

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut state = self.state.borrow_mut();
        match token {
            Token::TagToken(tag) => {
                state.tag(&tag);
                if tag.kind == TagKind::StartTag
                    && let Some(kind) = html::raw_kind(&tag.name)
                {
                    return TokenSinkResult::RawData(kind);
                }
            }
            Token::CharacterTokens(text) => state.characters(&text),
            Token::DoctypeToken(_) | Token::CommentToken(_) | Token::NullCharacterToken => {}
            Token::EOFToken | Token::ParseError(_) => {}
        }
        TokenSinkResult::Continue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(page: &str, keep: &[Structure]) -> String {
        html::text(&written(page, keep)).text
    }

    #[test]
    fn code_has_fences_with_its_language() {
        let page = "<p>Use <code>a &lt; b</code>:</p><pre><code class=\"hl language-rust\">\nfn a() {\n    b();\n}</code></pre>";
        let fenced = "Use `a < b`:\n\n```rust\nfn a() {\n    b();\n}\n```";
        assert_eq!(text(page, &[Structure::Code]), fenced);
        assert_eq!(text(page, &[]), "Use a < b:\n\nfn a() {\n    b();\n}");
        assert_eq!(text("<pre>x", &[Structure::Code]), "```\nx");
    }

    #[test]
    fn formulas_are_latex() {
        let math = [Structure::Math];
        let page =
            "<p>So <math alttext=\"a^2\"><mi>a</mi></math> and <script type=\"math/tex\">y &lt; 1</script>.";
        assert_eq!(text(page, &math), "So $a^2$ and $y &lt; 1$ .");
        let annotated = "<math display=block><semantics><mi>a</mi><annotation encoding=\"application/x-tex\">\\alpha</annotation></semantics></math>";
        assert_eq!(text(annotated, &math), "$$\\alpha$$");
        let plain = "<math><mfrac><msup><mi>x</mi><mn>2</mn></msup><msqrt><mi>y</mi></msqrt></mfrac><mo>&le;</mo><mi>sin</mi></math>";
        assert_eq!(text(plain, &math), "$\\frac{x^{2}}{\\sqrt{y}} \\le \\sin$");
        let image = "<img class=\"mwe-math-fallback-image-inline\" alt=\"{\\displaystyle E=mc^{2}}\">";
        assert_eq!(text(image, &math), "$E=mc^{2}$");
        assert_eq!(text("a<math><mi>b", &math), "a");
    }

    #[test]
    fn images_have_words() {
        assert_eq!(text("<p>a<img src=x alt=\"A &amp; B\">c<img>", &[Structure::AltText]), "a A & B c");
        assert_eq!(text("<p>a<img alt=b>c", &[]), "ac");
    }
}
