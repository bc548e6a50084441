//! What authors of Syncline modules use: tables, reducers and their context.
