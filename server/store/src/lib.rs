//! Typed tables, transactions, read views, the commit log and the catalog: everything that touches files.
