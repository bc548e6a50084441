//! SQL to live queries: parser, planner, router, instances and their deltas.
