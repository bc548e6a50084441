//! The works: each a world, subscriptions to one query, and commits.

mod equality;
mod groups;
mod joins;
mod ranges;
mod windows;

use anyhow::Result;

use crate::Scale;
use crate::figure::Report;

/// A work by its name.
pub(crate) struct Work {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) run: fn(Scale, &mut Report) -> Result<()>,
}

/// Nanoseconds that an affected subscription may cost, end to end up to encoded bytes.
const AFFECTED_NS: f64 = 300.0;
/// Bytes of memory of a subscription that nothing happens to.
const IDLE_BYTES: f64 = 250.0;

/// All of them.
pub(crate) const WORKS: &[Work] = &[
    Work {
        name: "equality",
        about: "owner = :o, one subscription concerned",
        run: equality::affected,
    },
    Work {
        name: "unaffected",
        about: "owner = :o, none concerned, beside no subscriptions at all",
        run: equality::unaffected,
    },
    Work {
        name: "interval",
        about: "at BETWEEN :a AND :b, ten concerned",
        run: ranges::interval,
    },
    Work {
        name: "box",
        about: "x and y BETWEEN, ten concerned",
        run: ranges::boxes,
    },
    Work {
        name: "tick",
        about: "10 000 players and their boxes move at once, eleven are in sight",
        run: ranges::tick,
    },
    Work {
        name: "join",
        about: "messages of my rooms: two tables",
        run: joins::two,
    },
    Work {
        name: "three",
        about: "messages of the rooms of my teams: three tables",
        run: joins::three,
    },
    Work {
        name: "unread",
        about: "unread messages of my rooms, counted by room",
        run: joins::unread,
    },
    Work {
        name: "groups",
        about: "COUNT and SUM by group over 1 000 000 rows",
        run: groups::measure,
    },
    Work {
        name: "top",
        about: "the first 100 of 1 000 000 rows",
        run: windows::top,
    },
    Work {
        name: "deep",
        about: "20 rows behind 500 000 of 1 000 000 rows",
        run: windows::deep,
    },
    Work {
        name: "rank",
        about: "how many are above me",
        run: windows::rank,
    },
];
