//! Example module board.
