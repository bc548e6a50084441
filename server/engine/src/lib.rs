//! One database: commands in, effects out.
