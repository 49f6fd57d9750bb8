//! Scores: each adds columns and drops nothing, so that thresholds change without scoring again.

use llmp_stdlib::arg::FilePath;

llmp_stdlib::def! {
    /// Adds marks of mathematics: `.math_symbols`, how many symbols of mathematics and LaTeX the text holds, and `.math_tags`,
    /// whether the page carried elements or scripts that typeset formulas.
    ///
    /// AFM looks for about 40 strings and templates of the page and about 350 symbols of Unicode and LaTeX before its language
    /// model judges (section 3.1.1; the lists are not published).
    ///
    /// ```llmp
    /// dataset maths = web |> score_math() |> keep_if(.math_symbols > 40 or .math_tags)
    /// ```
    @planned ScoreMath = "score_math", rev 1, rows Docs -> Docs, adds [math_symbols: Num, math_tags: Bool] {
        /// A file with one symbol a line in place of the list inside llmp.
        symbols: Option<FilePath> = "none",
    }
}
