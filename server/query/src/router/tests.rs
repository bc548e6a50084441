#![allow(clippy::unwrap_used, reason = "tests")]

use foldhash::quality::FixedState;
use proptest::prelude::*;
use syncline_protocol::packed::put_sized;
use syncline_protocol::value::canonical_f64;
use syncline_protocol::{Changed, Decimal, RowLayout, TableId, Type};

use super::space::{Entry, Space};
use super::{TableRouter, Target, cover};
use crate::plan::expr::{Expr, Input, Params, Slot};
use crate::syntax::CompareOp;

type Item<const D: usize> = ([[u64; 2]; D], u32);

#[derive(Clone, Debug)]
enum Act<const D: usize> {
    Insert([[u64; 2]; D]),
    /// Of the entry at this place of the list.
    Remove(usize),
    Replace(usize, [[u64; 2]; D]),
    Stab([u64; D]),
}

/// Coordinates of one neighbourhood and of all of them, and the ends.
fn coordinate() -> impl Strategy<Value = u64> {
    prop_oneof![
        8 => 1000..1200u64,
        2 => (0..64u32, 0..4u64).prop_map(|(shift, low)| (1u64 << shift) ^ low),
        1 => Just(0),
        1 => Just(u64::MAX),
        1 => any::<u64>(),
    ]
}

fn bounds() -> impl Strategy<Value = [u64; 2]> {
    let ends = (coordinate(), coordinate());
    prop_oneof![
        1 => ends.prop_map(|(a, b)| [a.min(b), a.max(b)]),
        1 => (1000..1200u64, 0..40u64).prop_map(|(low, len)| [low, low + len]),
        1 => (coordinate(), 0..64u32).prop_map(|(low, shift)| [low, low.saturating_add(1 << shift)]),
    ]
}

fn act<const D: usize>() -> impl Strategy<Value = Act<D>> {
    let many = || proptest::collection::vec(bounds(), D).prop_map(|all| all.try_into().unwrap());
    let point = proptest::collection::vec(coordinate(), D);
    prop_oneof![
        6 => many().prop_map(Act::Insert),
        2 => any::<usize>().prop_map(Act::Remove),
        2 => (any::<usize>(), many()).prop_map(|(at, to)| Act::Replace(at, to)),
        2 => point.prop_map(|at| Act::Stab(at.try_into().unwrap())),
    ]
}

/// The space beside a list of all entries.
fn check_space<const D: usize>(acts: &[Act<D>], shrink: bool) {
    let hasher = FixedState::with_seed(7);
    let mut space = Space::<D>::default();
    let mut list: Vec<Item<D>> = Vec::new();
    let mut next = 0;
    let stab = |space: &Space<D>, list: &[Item<D>], point: [u64; D]| {
        let mut found = Vec::new();
        space.stab(&point, &hasher, &mut |number| found.push(number));
        found.sort_unstable();
        let is_in = |bounds: &[[u64; 2]; D]| {
            let mut axes = bounds.iter().zip(point);
            axes.all(|([low, high], at)| (*low..=*high).contains(&at))
        };
        let inside = list.iter().filter(|(bounds, _)| is_in(bounds));
        let mut wanted: Vec<u32> = inside.map(|(_, number)| *number).collect();
        wanted.sort_unstable();
        assert_eq!(found, wanted, "at {point:?}");
    };
    for act in acts {
        match act {
            Act::Insert(bounds) => {
                next += 1;
                let entry = Entry {
                    bounds: *bounds,
                    number: next,
                };
                assert!(space.insert(entry, &hasher));
                assert!(
                    space
                        .find(*bounds, &hasher, |number| number == next)
                        .is_some()
                );
                list.push((*bounds, next));
                stab(&space, &list, bounds.map(|[low, _]| low));
                stab(&space, &list, bounds.map(|[_, high]| high));
            }
            Act::Remove(at) if !list.is_empty() => {
                let (bounds, number) = list.swap_remove(at % list.len());
                assert!(space.remove(Entry { bounds, number }, &hasher));
                assert!(
                    !space.remove(Entry { bounds, number }, &hasher),
                    "it is gone"
                );
            }
            Act::Replace(at, to) if !list.is_empty() => {
                let at = at % list.len();
                let (bounds, number) = list[at];
                assert!(space.replace(Entry { bounds, number }, *to, &hasher));
                list[at].0 = *to;
                stab(&space, &list, to.map(|[low, _]| low));
            }
            Act::Stab(point) => stab(&space, &list, *point),
            _ => {}
        }
    }
    if shrink {
        while let Some((bounds, number)) = list.pop() {
            assert!(space.remove(Entry { bounds, number }, &hasher));
            stab(&space, &list, bounds.map(|[low, _]| low));
        }
        assert!(space.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn intervals_are_those_of_a_list(acts in proptest::collection::vec(act::<1>(), 1..700)) {
        check_space(&acts, true);
    }

    #[test]
    fn boxes_are_those_of_a_list(acts in proptest::collection::vec(act::<2>(), 1..700)) {
        check_space(&acts, true);
    }
}

/// Columns of every kind that has an order.
fn types() -> Vec<Type> {
    vec![
        Type::I32,
        Type::U64,
        Type::I128,
        Type::U128,
        Type::F64,
        Type::option(Type::I64),
        Type::Decimal,
        Type::String,
        Type::option(Type::Bytes),
        Type::Uuid,
        Type::Timestamp,
    ]
}

/// A packed value of a type, from one of few numbers and from many, so that some are equal.
fn packed(ty: &Type, seed: u64, out: &mut Vec<u8>) {
    let small = (seed % 40) as i64 - 20;
    let wide = seed.is_multiple_of(5);
    let number = if wide { seed as i64 } else { small };
    match ty {
        Type::I32 => out.extend_from_slice(&(number as i32).to_le_bytes()),
        Type::U64 => out.extend_from_slice(&(number as u64).to_le_bytes()),
        Type::I64 | Type::Timestamp => out.extend_from_slice(&number.to_le_bytes()),
        Type::I128 if wide => {
            out.extend_from_slice(&(i128::from(number) * i128::from(i64::MAX)).to_le_bytes());
        }
        Type::I128 => out.extend_from_slice(&i128::from(number).to_le_bytes()),
        Type::U128 if wide => {
            out.extend_from_slice(&(u128::from(seed) << 64 | 5).to_le_bytes());
        }
        Type::U128 => out.extend_from_slice(&u128::from(small.unsigned_abs()).to_le_bytes()),
        Type::F64 => {
            let float = match seed % 7 {
                0 => f64::NAN,
                1 => f64::from_bits(seed.rotate_left(23)),
                2 => f64::INFINITY,
                3 => -(small as f64) * 1e300,
                _ => small as f64 / 4.0,
            };
            out.extend_from_slice(&canonical_f64(float).to_le_bytes());
        }
        Type::Decimal => {
            let text = format!("{}.{}", number, seed % 100);
            out.extend_from_slice(&text.parse::<Decimal>().unwrap().to_packed());
        }
        Type::String | Type::Bytes => {
            let texts = [
                "",
                "a",
                "ab",
                "ab\u{0}",
                "abc",
                "b",
                "room/0001/a",
                "room/0001/b",
                "room/0002",
            ];
            put_sized(texts[seed as usize % texts.len()].as_bytes(), out);
        }
        Type::Uuid => {
            let byte = (seed % 3) as u8;
            out.extend_from_slice(&[byte; 8]);
            out.extend_from_slice(&[(seed % 11) as u8; 8]);
        }
        Type::Option(_) if seed.is_multiple_of(6) => out.push(1),
        Type::Option(inner) => {
            out.push(0);
            packed(inner, seed / 6, out);
        }
        other => panic!("no values of {other:?}"),
    }
}

/// What one column is asked for: a form, and seeds of its constants.
type Asked = (usize, u8, u64, u64);

/// A condition on a column, whose constants are parameters from `next` on.
fn condition(types: &[Type], (column, form, ..): Asked, next: usize) -> Expr {
    let column = column % types.len();
    let ty = &types[column];
    let slot = Expr::Column(Slot::new(column, ty));
    let param = |at: usize| Expr::Param(Slot::new(next + at, ty));
    let compare = |op, at| Expr::Compare(op, Box::new(slot.clone()), Box::new(param(at)));
    let is_text = matches!(ty.non_null(), Type::String | Type::Bytes);
    match form % 8 {
        0 => compare(CompareOp::Less, 0),
        1 => compare(CompareOp::GreaterOrEqual, 0),
        2 => Expr::Not(Box::new(compare(CompareOp::GreaterOrEqual, 1))),
        3 => compare(CompareOp::Equal, 0),
        4 if is_text => Expr::Like {
            operand: Box::new(slot.clone()),
            pattern: Box::new(param(0)),
            escape: None,
        },
        5 => Expr::And(vec![
            compare(CompareOp::Greater, 0),
            compare(CompareOp::Less, 1),
        ]),
        _ => Expr::And(vec![
            compare(CompareOp::GreaterOrEqual, 0),
            compare(CompareOp::LessOrEqual, 1),
        ]),
    }
}

/// A filter: an OR of ANDs of conditions, each with two parameters.
fn filter(types: &[Type], asked: &[Vec<Asked>]) -> Expr {
    let mut next = 0;
    let mut any = Vec::new();
    for all in asked {
        let mut items = Vec::new();
        for one in all {
            items.push(condition(types, *one, next));
            next += 2;
        }
        any.push(Expr::And(items));
    }
    Expr::Or(any)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever passes a filter is found, and what is gone is not.
    #[test]
    fn the_router_never_misses(
        shapes in proptest::collection::vec(
            proptest::collection::vec(
                proptest::collection::vec((0..11usize, any::<u8>(), any::<u64>(), any::<u64>()), 1..4),
                1..3,
            ),
            1..5,
        ),
        seeds in proptest::collection::vec(any::<u64>(), 1..80),
        rows in proptest::collection::vec(any::<u64>(), 1..24),
    ) {
        let types = types();
        let layout = RowLayout::new(types.clone());
        let hasher = FixedState::with_seed(1);
        let mut router = TableRouter::default();
        let mut instances: Vec<(Expr, RowLayout, Vec<u8>)> = Vec::new();
        for (number, seed) in seeds.iter().enumerate() {
            let asked = &shapes[number % shapes.len()];
            let filter = filter(&types, asked);
            let (mut param_types, mut params) = (Vec::new(), Vec::new());
            for (column, _, low, high) in asked.iter().flatten() {
                for value in [low, high] {
                    let ty = &types[column % types.len()];
                    param_types.push(ty.clone());
                    packed(ty, value.wrapping_add(*seed), &mut params);
                }
            }
            let param_layout = RowLayout::new(param_types);
            let given = Params { layout: &param_layout, packed: &params };
            router.insert(cover(Some(&filter)).as_deref(), given, number as u32, &hasher).unwrap();
            instances.push((filter, param_layout, params));
        }
        let check = |router: &TableRouter, live: &dyn Fn(usize) -> bool| {
            for seed in &rows {
                let mut row = Vec::new();
                for (at, ty) in types.iter().enumerate() {
                    packed(ty, seed.wrapping_mul(at as u64 * 2 + 1), &mut row);
                }
                let change = Changed { table: TableId::FIRST_USER, old: None, new: Some(&row) };
                let mut found = vec![false; instances.len()];
                router.route(&layout, change, &hasher, &mut 0, |target| match target {
                    Target::Instance(number, _) => found[number as usize] = true,
                    Target::Group(_) => panic!("there are no sites"),
                });
                for (number, (filter, param_layout, params)) in instances.iter().enumerate() {
                    let given = Params { layout: param_layout, packed: params };
                    let passes = filter.truth(&Input::one(&layout, &row, given)) == Some(true);
                    assert!(!passes || !live(number) || found[number], "{filter:?} misses {row:?}");
                    assert!(live(number) || !found[number], "{number} is gone");
                }
            }
        };
        check(&router, &|_| true);
        for (number, (filter, param_layout, params)) in instances.iter().enumerate() {
            if number.is_multiple_of(2) {
                let given = Params { layout: param_layout, packed: params };
                router.remove(cover(Some(filter)).as_deref(), given, number as u32, &hasher);
            }
        }
        check(&router, &|number| number % 2 == 1);
        for (number, (filter, param_layout, params)) in instances.iter().enumerate() {
            if number % 2 == 1 {
                let given = Params { layout: param_layout, packed: params };
                router.remove(cover(Some(filter)).as_deref(), given, number as u32, &hasher);
            }
        }
        let counts = router.counts();
        assert_eq!((counts.entries, counts.scanned), (0, 0));
    }
}

/// The cover of an OR of these, over columns of [`types`] that compare with parameters by the same numbers.
fn cover_of(any: &[Vec<Expr>]) -> Vec<super::Route> {
    let any = any.iter().map(|all| Expr::And(all.clone()));
    cover(Some(&Expr::Or(any.collect()))).unwrap()
}

fn equal(types: &[Type], column: usize) -> Expr {
    let slot = Slot::new(column, &types[column]);
    let (own, param) = (Expr::Column(slot), Expr::Param(slot));
    Expr::Compare(CompareOp::Equal, Box::new(own), Box::new(param))
}

/// Whom a row with these values concerns.
fn found(router: &TableRouter, layout: &RowLayout, row: &[u8], hasher: &FixedState) -> Vec<u32> {
    let (old, new) = (None, Some(row));
    let table = TableId::FIRST_USER;
    let mut found = Vec::new();
    let change = Changed { table, old, new };
    router.route(layout, change, hasher, &mut 0, |target| match target {
        Target::Instance(number, _) => found.push(number),
        Target::Group(_) => panic!("there are no sites"),
    });
    found
}

/// What does not fit with other parameters stays as it was, whatever had to be tidied away for it.
#[test]
fn a_router_that_is_full_takes_back_what_it_had() {
    let types = vec![Type::option(Type::I64); 12];
    let layout = RowLayout::new(types.clone());
    let hasher = FixedState::with_seed(1);
    let all_of = |bits: u32, value: u8| {
        let mut packed = Vec::new();
        for column in 0..types.len() {
            if bits >> column & 1 == 1 {
                packed.push(0);
                packed.extend_from_slice(&i64::from(value).to_le_bytes());
            } else {
                packed.push(1);
            }
        }
        packed
    };
    let given = |packed| Params {
        layout: &layout,
        packed,
    };
    let mut router = TableRouter::default();
    // Each pair of the columns from the third on is a signature; there are as many as there may be.
    let pairs = (3..12).flat_map(|a| (a + 1..12).map(move |b| vec![a, b]));
    let triples = (3..12).flat_map(|a| (a + 1..11).map(move |b| vec![a, b, 11]));
    let sets = pairs.chain(triples.filter(|set| set[1] < 11));
    let sets: Vec<Vec<usize>> = sets.take(super::SIGNATURES_MAX - 1).collect();
    assert_eq!(sets.len(), super::SIGNATURES_MAX - 1);
    let everything = all_of(u32::MAX, 7);
    for (number, set) in (1..).zip(&sets) {
        let items = set.iter().map(|column| equal(&types, *column)).collect();
        let cover = cover_of(&[items]);
        let params = given(&everything);
        router
            .insert(Some(&cover), params, number, &hasher)
            .unwrap();
    }
    // The others compare with NULL at first: no row is there.
    let cover = cover_of(&[0, 1, 2].map(|column| vec![equal(&types, column)]));
    let (one, two, three) = (all_of(1, 3), all_of(3, 3), all_of(7, 3));
    router
        .insert(Some(&cover), given(&one), 0, &hasher)
        .unwrap();
    let counts = router.counts();
    assert_eq!(counts.signatures, super::SIGNATURES_MAX);
    for wider in [&two, &three] {
        let way = (given(&one), given(wider));
        let error = router.replace(Some(&cover), way, 0, &hasher).unwrap_err();
        assert_eq!(error.code, syncline_protocol::ErrorCode::LiveLimit);
        assert_eq!(router.counts(), counts);
        assert_eq!(found(&router, &layout, &one, &hasher), [0]);
        assert!(found(&router, &layout, &all_of(6, 3), &hasher).is_empty());
    }
    // Elsewhere there is room.
    let other = all_of(1, 4);
    let way = (given(&one), given(&other));
    router.replace(Some(&cover), way, 0, &hasher).unwrap();
    assert!(found(&router, &layout, &one, &hasher).is_empty());
    assert_eq!(found(&router, &layout, &other, &hasher), [0]);
    router.remove(Some(&cover), given(&other), 0, &hasher);
    // What nobody needs makes room.
    let cover = cover_of(&[vec![equal(&types, 2)]]);
    router
        .insert(Some(&cover), given(&three), 0, &hasher)
        .unwrap();
    assert_eq!(router.counts(), counts);
}

/// Bounds that an instance gives twice are gone with it, in lists and in grids.
#[test]
fn equal_bounds_of_one_instance_are_taken_back() {
    let types = vec![Type::I64];
    let layout = RowLayout::new(types.clone());
    let params = RowLayout::new(vec![Type::I64; 6]);
    let hasher = FixedState::with_seed(1);
    let slot = |at| Expr::Param(Slot::new(at, &Type::I64));
    let column = || Box::new(Expr::Column(Slot::new(0, &Type::I64)));
    let between = |at| {
        let low = Expr::Compare(CompareOp::GreaterOrEqual, column(), Box::new(slot(at)));
        let high = Expr::Compare(CompareOp::LessOrEqual, column(), Box::new(slot(at + 1)));
        vec![low, high]
    };
    let cover = cover_of(&[between(0), between(2), between(4)]);
    let pack = |number: i64| {
        let bounds = [number, number + 5, 900, 1000, number, number + 5];
        bounds.map(i64::to_le_bytes).concat()
    };
    let mut router = TableRouter::default();
    for round in 0..2 {
        for number in 0..400 {
            let packed = pack(i64::from(number) % 90);
            let given = Params {
                layout: &params,
                packed: &packed,
            };
            router.insert(Some(&cover), given, number, &hasher).unwrap();
        }
        let at = 903_i64.to_le_bytes();
        let mut all = found(&router, &layout, &at, &hasher);
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 400);
        for number in 0..400 {
            let packed = pack(i64::from(number) % 90);
            let given = Params {
                layout: &params,
                packed: &packed,
            };
            router.remove(Some(&cover), given, number, &hasher);
        }
        let counts = router.counts();
        assert_eq!((counts.entries, counts.signatures), (0, 0), "{round}");
        assert!(found(&router, &layout, &at, &hasher).is_empty());
    }
}

/// A changed row is looked up once for each kind of route, not once for each route.
#[test]
fn a_long_list_is_one_look_up() {
    let types = types();
    let items = (0..1000).map(|_| Expr::Param(Slot::new(0, &types[0])));
    let column = Expr::Column(Slot::new(0, &types[0]));
    let list = Expr::In(Box::new(column), items.collect());
    let routes = super::site_routes(&[list]).unwrap();
    assert_eq!((routes.len(), routes.kinds().count()), (1000, 1));
    let all = [0, 1, 0, 1, 0].map(|column| equal(&types, column));
    let routes = super::site_routes(&[Expr::Or(all.to_vec())]).unwrap();
    assert_eq!((routes.len(), routes.kinds().count()), (5, 2));
}
