//! Held-out documents, scored in bits for each byte of their text.

use llmp_stdlib::arg::DocsRef;

llmp_stdlib::def! {
    /// How many bits the model needs for each UTF-8 byte of held-out documents, and its perplexity on them.
    ///
    /// A document is scored from its start after an end-of-text token, as it was trained, and its own end-of-text
    /// token counts as well: the figure is the cost of sending the documents one by one. Long documents are
    /// scored in windows of the whole context that advance by half of it. Models with different tokenizers can
    /// be compared.
    ///
    /// ```llmp
    /// eval quality { model = run, suites = [bits_per_byte(clean.heldout)] }
    /// ```
    BitsPerByte = "bits_per_byte", rev 1 {
        /// Documents that training has not seen.
        data: DocsRef,
    }
}

llmp_stdlib::def! {
    /// The perplexity of held-out documents: the exponential of the mean loss of a token.
    ///
    /// It depends on the tokenizer, so models with different tokenizers are compared in bits per byte.
    ///
    /// ```llmp
    /// eval quality { model = run, suites = [perplexity(clean.heldout)] }
    /// ```
    Perplexity = "perplexity", rev 1 {
        /// Documents that training has not seen.
        data: DocsRef,
    }
}
