//! Large programs: time grows with their length, and deep ones do not end the process.
