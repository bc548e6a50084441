#![allow(clippy::float_cmp, reason = "sums are exact")]

use super::{FloatSum, IntSum};

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let x = self.0;
        (x ^ x >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd) ^ x >> 29
    }
}

fn sum(values: &[f64]) -> FloatSum {
    let mut sum = FloatSum::default();
    for value in values {
        sum.change(*value, true);
    }
    sum
}

#[test]
fn known_sums_are_exact() {
    let cases: &[(&[f64], f64)] = &[
        (&[], 0.0),
        (&[1e16, 1.0, -1e16], 1.0),
        (&[0.1; 10], 1.0),
        (&[1e308, 1e308, -1e308], 1e308),
        (&[f64::MAX, f64::MAX], f64::INFINITY),
        (
            &[f64::MIN_POSITIVE, -f64::MIN_POSITIVE / 2.0],
            f64::MIN_POSITIVE / 2.0,
        ),
        (&[5e-324, 5e-324], 1e-323),
        (&[1.0, 2f64.powi(-53)], 1.0),
        (&[1.0, 2f64.powi(-53), 5e-324], 1.0 + f64::EPSILON),
        (
            &[1.0 + f64::EPSILON, 2f64.powi(-53)],
            1.0 + 2.0 * f64::EPSILON,
        ),
        (&[f64::INFINITY, 1.0], f64::INFINITY),
        (&[-1e300, 1e-300], -1e300),
        (&[-0.0], 0.0),
    ];
    for (values, wanted) in cases {
        assert_eq!(sum(values).total(), *wanted, "{values:?}");
    }
    assert!(sum(&[f64::INFINITY, f64::NEG_INFINITY]).total().is_nan());
}

#[test]
fn one_value_is_its_own_sum() {
    let mut random = Random(3);
    for _ in 0..20_000 {
        let value = f64::from_bits(random.next());
        if value.is_finite() {
            assert_eq!(sum(&[value]).total(), value + 0.0, "{value:e}");
        }
    }
}

#[test]
fn order_does_not_matter_and_values_can_go() {
    let mut random = Random(7);
    for round in 0..500 {
        let count = 1 + random.next() as usize % 20;
        let mut values: Vec<f64> = Vec::new();
        for _ in 0..count {
            // Near exponents in some rounds, all of them in others.
            let bits = random.next();
            let value = if round % 2 == 0 {
                (bits % 2001) as f64 / 7.0 - 140.0
            } else {
                f64::from_bits(bits)
            };
            values.push(if value.is_finite() { value } else { 1.5 });
        }
        let forward = sum(&values);
        values.reverse();
        let mut backward = sum(&values);
        assert_eq!(forward, backward);
        // What is taken away leaves nothing behind.
        let extra: Vec<f64> = (0..5).map(|_| f64::from_bits(random.next())).collect();
        for value in &extra {
            backward.change(*value, true);
        }
        for value in &extra {
            backward.change(*value, false);
        }
        assert_eq!(forward, backward);
        for value in &values {
            backward.change(*value, false);
        }
        assert_eq!(backward, FloatSum::default());
    }
}

#[test]
fn sums_of_small_floats_agree_with_integers() {
    let mut random = Random(11);
    let mut float = FloatSum::default();
    let mut whole: i128 = 0;
    for _ in 0..10_000 {
        let value = random.next() as i64 >> 12;
        float.change(value as f64, true);
        whole += i128::from(value);
        assert_eq!(float.total(), whole as f64);
    }
}

#[test]
fn integers_are_summed_beyond_their_width() {
    let mut sum = IntSum::default();
    let mut random = Random(5);
    let values: Vec<i128> = (0..1000)
        .map(|_| i128::from(random.next() as i64) << 64 | i128::from(random.next()))
        .chain([i128::MAX, i128::MAX, i128::MIN, i128::MIN])
        .collect();
    for value in &values {
        sum.change(*value, true);
    }
    for value in &values[1..] {
        sum.change(*value, false);
    }
    assert_eq!(sum.total(), Some(values[0]));
    sum.change(values[0], false);
    assert_eq!(sum, IntSum::default());
    sum.change(i128::MAX, true);
    sum.change(1, true);
    assert_eq!(sum.total(), None);
    sum.change(i128::MIN, true);
    assert_eq!(sum.total(), Some(0));
}
