//! Shared code of the programs.
