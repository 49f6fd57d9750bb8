//! What changes a plan and what does not, over random edits.
