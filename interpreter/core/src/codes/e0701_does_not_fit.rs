//! LLMP0701: The memory that a stage needs is more than all devices of the hardware have together, even if everything is shared evenly.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// The memory that a stage needs is more than all devices of the hardware have together, even if everything is shared evenly.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = books, tokens = 4M } # error[LLMP0701]
    /// hardware small { flops = 1T, memory = 1 MB }
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = books, tokens = 4M }
    /// hardware small { flops = 1T, memory = 1 GB }
    /// ```
    "LLMP0701" DoesNotFit "`{stage}` needs {needs} of memory, `{machine}` has {has}";
    {
        /// The stage.
        pub stage: String,
        /// The hardware.
        pub machine: String,
        /// Memory wanted.
        pub needs: String,
        /// Memory there.
        pub has: String,
        /// Where.
        #[label(primary, "this stage")]
        pub at: Span,
    }
}
