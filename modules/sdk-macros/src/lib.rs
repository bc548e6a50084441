//! The macros table and reducer of the Syncline module SDK.
