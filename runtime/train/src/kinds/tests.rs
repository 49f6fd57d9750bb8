//! Stages as the checker sees them.
