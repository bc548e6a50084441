use std::cmp::Ordering;

use ethnum::{I256, U256};
use proptest::prelude::*;

use super::*;
use crate::strategies::decimal;

fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// The value in units of 10^-38.
fn units(value: Decimal) -> I256 {
    let units = value.magnitude_at(SCALE_MAX).as_i256();
    if value.is_negative() { -units } else { units }
}

#[test]
fn text_is_read_and_written() {
    let cases = [
        ("0", "0"),
        ("-0.00", "0"),
        ("+5", "5"),
        ("5.", "5"),
        (".5", "0.5"),
        ("-12.50", "-12.5"),
        ("1e3", "1000"),
        ("1000e-3", "1"),
        ("1.5E+2", "150"),
        ("0e999999999999999999999", "0"),
        ("00000000000000000000000000000000000000000000000001", "1"),
        ("1e37", "10000000000000000000000000000000000000"),
        ("1e-38", "0.00000000000000000000000000000000000001"),
        ("1.000000000000000000000000000000000000000000000", "1"),
        (
            "99999999999999999999999999999999999999",
            "99999999999999999999999999999999999999",
        ),
    ];
    for (text, written) in cases {
        assert_eq!(d(text).to_string(), written, "{text}");
        assert_eq!(d(written), d(text));
    }
    for text in [
        "", "-", ".", "e1", "1e", "1e+", "1.2.3", "0x1", " 1", "1 ", "1,5", "NaN", "--1", "é",
    ] {
        assert_eq!(text.parse::<Decimal>(), Err(NotADecimal::Syntax), "{text}");
    }
    for text in [
        "1e38",
        "100000000000000000000000000000000000000",
        "1e-39",
        "123456789012345678901234567890123456789",
        "0.123456789012345678901234567890123456789",
        "1e999999999999999999999",
        "1e-999999999999999999999",
    ] {
        assert_eq!(
            text.parse::<Decimal>(),
            Err(NotADecimal::OutOfRange),
            "{text}"
        );
    }
}

#[test]
fn results_are_exact_or_rounded_half_to_even() {
    let nines = "99999999999999999999999999999999999999";
    let sum = |a: &str, b: &str| d(a).checked_add(d(b));
    assert_eq!(sum("0.1", "0.2"), Some(d("0.3")));
    assert_eq!(sum(nines, "0.4"), Some(Decimal::MAX));
    assert_eq!(sum(nines, "0.5"), None, "half to even is one digit more");
    assert_eq!(sum(nines, "1"), None);
    assert_eq!(
        sum(nines, "-1"),
        Some(d("99999999999999999999999999999999999998"))
    );
    // 37 digits before the point leave room for one behind it.
    assert_eq!(
        sum("1e36", "0.25"),
        Some(d("1000000000000000000000000000000000000.2"))
    );
    assert_eq!(
        sum("1e36", "0.35"),
        Some(d("1000000000000000000000000000000000000.4"))
    );
    assert_eq!(d("1").checked_sub(d("1.00")), Some(Decimal::ZERO));

    let product = |a: &str, b: &str| d(a).checked_mul(d(b));
    assert_eq!(product("1.5", "-0.2"), Some(d("-0.3")));
    assert_eq!(product("1e-20", "1e-20"), Some(Decimal::ZERO));
    assert_eq!(
        product("5e-20", "1e-19"),
        Some(Decimal::ZERO),
        "a half, to even"
    );
    assert_eq!(product("15e-20", "1e-19"), Some(d("2e-38")));
    assert_eq!(product("1e19", "1e19"), None);
    assert_eq!(
        product(nines, "0.1"),
        Some(d("9999999999999999999999999999999999999.9"))
    );

    let quotient = |a: &str, b: &str| d(a).checked_div(d(b));
    assert_eq!(quotient("1", "4"), Some(d("0.25")));
    assert_eq!(quotient("1", "3"), Some(d("0.33333333333333333333")));
    assert_eq!(quotient("2", "-3"), Some(d("-0.66666666666666666667")));
    assert_eq!(quotient("1", "0"), None);
    assert_eq!(quotient(nines, "1e-38"), None);
    assert_eq!(
        quotient("1e37", "3"),
        Some(d("3333333333333333333333333333333333333.3"))
    );
    assert_eq!(
        quotient("1", "3e-30"),
        Some(d("333333333333333333333333333333.33333333"))
    );
    assert_eq!(quotient("1e-38", "1e-38"), Some(Decimal::ONE));
    assert_eq!(quotient(nines, nines), Some(Decimal::ONE));

    assert_eq!(d("-7.5").checked_rem(d("2")), Some(d("-1.5")));
    assert_eq!(d("1").checked_rem(d("0")), None);
    for (value, scale, rounded) in [
        ("2.5", 0, "2"),
        ("3.5", 0, "4"),
        ("-2.5", 0, "-2"),
        ("1.005", 2, "1"),
        ("1.2345", 10, "1.2345"),
        ("0.99999999999999999999999999999999999999", 3, "1"),
    ] {
        assert_eq!(d(value).round(scale), d(rounded), "{value} to {scale}");
    }
    assert_eq!(
        (d("-1.5").trunc(), d("-1.5").floor(), d("-1.5").ceil()),
        (d("-1"), d("-2"), d("-1"))
    );
    assert_eq!(d("1.5").ceil(), d("2"));
}

#[test]
fn floats_are_compared_to_the_last_bit() {
    assert_eq!(
        d("0.1").cmp_f64(0.1),
        Ordering::Less,
        "the double is a bit more"
    );
    assert_eq!(
        d("0.3").cmp_f64(0.3),
        Ordering::Greater,
        "and this one a bit less"
    );
    assert_eq!(d("0.5").cmp_f64(0.5), Ordering::Equal);
    assert_eq!(d("-0.5").cmp_f64(-0.5), Ordering::Equal);
    assert_eq!(
        d("9007199254740993").cmp_f64(9_007_199_254_740_992.0),
        Ordering::Greater
    );
    // The double that is written 1e38 is 2e21 less, and the next one more.
    assert_eq!(Decimal::MAX.cmp_f64(1e38), Ordering::Greater);
    assert_eq!(Decimal::MIN.cmp_f64(-1e38), Ordering::Less);
    assert_eq!(Decimal::MAX.cmp_f64(1e38_f64.next_up()), Ordering::Less);
    assert_eq!(Decimal::MAX.cmp_f64(f64::MAX), Ordering::Less);
    assert_eq!(Decimal::MIN.cmp_f64(f64::NEG_INFINITY), Ordering::Greater);
    assert_eq!(Decimal::MAX.cmp_f64(f64::NAN), Ordering::Less);
    assert_eq!(Decimal::ZERO.cmp_f64(f64::MIN_POSITIVE), Ordering::Less);
    assert_eq!(Decimal::ZERO.cmp_f64(-0.0), Ordering::Equal);
    assert_eq!(d("1e-38").cmp_f64(1e-300), Ordering::Greater);
    assert_eq!(Decimal::from_f64(0.1), Some(d("0.1")));
    assert_eq!(Decimal::from_f64(-1e-50), Some(Decimal::ZERO));
    assert_eq!(Decimal::from_f64(1e37), Some(d("1e37")));
    assert_eq!(Decimal::from_f64(1e38), None);
    assert_eq!(Decimal::from_f64(f64::MAX), None);
    assert_eq!(Decimal::from_f64(f64::NAN), None);
    assert_eq!(d("1").cmp_i128(i128::MAX), Ordering::Less);
    assert_eq!(d("1").cmp_i128(i128::MIN), Ordering::Greater);
    assert_eq!(Decimal::MAX.cmp_u128(u128::MAX), Ordering::Less);
    assert_eq!(d("1.5").cmp_i128(1), Ordering::Greater);
}

#[test]
fn other_forms_of_a_value_are_refused() {
    let packed = |mantissa: i128, scale: u8| {
        let mut bytes = [scale; PACKED_BYTES];
        bytes[..16].copy_from_slice(&mantissa.to_le_bytes());
        Decimal::from_packed(bytes)
    };
    assert_eq!(packed(125, 1), Ok(d("12.5")));
    for (mantissa, scale) in [
        (1250, 2),
        (0, 1),
        (1, 39),
        (10_i128.pow(38), 0),
        (i128::MIN, 0),
        (i128::MIN, 255),
    ] {
        assert_eq!(
            packed(mantissa, scale),
            Err(CodecError::NotCanonical),
            "{mantissa} {scale}"
        );
    }
}

#[test]
fn sums_outgrow_a_decimal_and_come_back() {
    let mut sum = DecimalSum::default();
    for _ in 0..100 {
        sum.add(Decimal::MAX);
    }
    assert_eq!(sum.value(), None);
    assert_eq!(sum.average(100, 0), Some(Decimal::MAX));
    assert_eq!(sum.average(0, 0), None);
    assert_eq!(sum.average(1, 0), None);
    for _ in 0..200 {
        sum.subtract(Decimal::MAX);
    }
    assert_eq!(sum.value(), None);
    assert_eq!(sum.average(100, 0), Some(Decimal::MIN));
    let mut back = DecimalSum::default();
    for _ in 0..100 {
        back.add(Decimal::MAX);
    }
    back.add(d("0.5"));
    sum.merge(&back);
    assert_eq!(sum.value(), Some(d("0.5")));
    assert_eq!(sum.average(3, 0), Some(d("0.16666666666666666667")));
}

proptest! {
    #[test]
    fn forms_are_one_to_one(value in decimal()) {
        prop_assert_eq!(Decimal::from_packed(value.to_packed()), Ok(value));
        prop_assert_eq!(value.to_string().parse(), Ok(value));
        prop_assert_eq!(Decimal::new(value.mantissa(), value.scale()), Some(value));
        let nearest: f64 = value.to_string().parse().unwrap();
        prop_assert_eq!(value.to_f64().to_bits(), nearest.to_bits());
    }

    #[test]
    fn the_order_is_that_of_the_values(one in decimal(), two in decimal()) {
        let order = units(one).cmp(&units(two));
        prop_assert_eq!(one.cmp(&two), order);
        prop_assert_eq!(one.to_memcomparable().cmp(&two.to_memcomparable()), order);
        if let Some(two) = two.to_i128() {
            prop_assert_eq!(one.cmp_i128(two), order);
        }
    }

    /// Against arithmetic of 256 bits, where that holds the exact result.
    #[test]
    fn arithmetic_is_exact_where_it_can_be(one in decimal(), two in decimal()) {
        let sum = units(one) + units(two);
        let exact = one.checked_add(two);
        if let Some(exact) = exact {
            let scale = u32::from(exact.scale().max(one.scale()).max(two.scale()));
            let is_exact = units(exact) == sum;
            // Rounded only if there is no room, and then by at most a half.
            let off = units(exact).max(sum) - units(exact).min(sum);
            prop_assert!(is_exact || wide::digits(sum.unsigned_abs()) > DIGITS_MAX - scale);
            if !is_exact {
                prop_assert!(off <= I256::new(5) * I256::new(10).pow(u32::from(SCALE_MAX - exact.scale()) - 1));
            }
        } else {
            prop_assert!(sum.unsigned_abs() >= wide::power(76).unwrap() - U256::ONE);
        }
        prop_assert_eq!(one.checked_sub(two), one.checked_add(-two));
        prop_assert_eq!(one.checked_mul(two), two.checked_mul(one));
        if let Some(quotient) = one.checked_div(two)
            && let Some(back) = quotient.checked_mul(two)
            && let Some(off) = back.checked_sub(one)
        {
            // The quotient is off by at most a half of its last digit, and so is the product.
            let last = Decimal::new(1, DIVISION_SCALE.min(18)).unwrap();
            let bound = two.abs().checked_mul(last).and_then(|b| b.checked_add(one.abs().checked_mul(last)?));
            if let Some(bound) = bound.and_then(|bound| bound.checked_add(last)) {
                prop_assert!(off.abs() <= bound, "{} / {} = {}", one, two, quotient);
            }
        }
    }

    #[test]
    fn small_arithmetic_is_that_of_integers(a in -1_000_000_000_i64..1_000_000_000, b in 1..1_000_000_i64, s in 0..6_u8, t in 0..6_u8) {
        let value = |mantissa: i64, scale| Decimal::new(mantissa.into(), scale).unwrap();
        let (one, two) = (value(a, s), value(b, t));
        prop_assert_eq!(one.checked_mul(two), Decimal::new(i128::from(a) * i128::from(b), s + t));
        let (p, q) = (10_i128.pow(t.into()), 10_i128.pow(s.into()));
        prop_assert_eq!(one.checked_add(two), Decimal::new(i128::from(a) * p + i128::from(b) * q, s + t));
        // Half to even at 20 digits, by integers: a * 10^(20 + t - s) / b.
        let numerator = U256::from(a.unsigned_abs()) * U256::from(10_u8).pow(20 + u32::from(t) - u32::from(s));
        let (mut quotient, rest) = numerator.div_rem(U256::from(b as u64));
        let twice = rest * U256::from(2_u8);
        let divisor = U256::from(b as u64);
        if twice > divisor || twice == divisor && quotient.as_u8() & 1 == 1 {
            quotient += U256::ONE;
        }
        let expected = Decimal::new(if a < 0 { -quotient.as_i128() } else { quotient.as_i128() }, 20);
        prop_assert_eq!(one.checked_div(two), expected);
    }

    #[test]
    fn comparisons_with_floats_are_exact(value in decimal(), near in any::<bool>(), any_float in any::<f64>()) {
        let float = if near { value.to_f64() } else { any_float };
        // A double has at most 1074 digits behind the point, and these are all of them.
        let written = format!("{:.1074}", float.abs());
        let (whole, fraction) = written.split_once('.').unwrap_or((&written, "0"));
        let scale = 38.max(fraction.trim_end_matches('0').len());
        let padded = |value: &str| {
            let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
            format!("{whole:0>400}{fraction:0<scale$}")
        };
        let expected = if float.is_nan() {
            Ordering::Less
        } else if float.is_infinite() {
            0.0.partial_cmp(&float).unwrap()
        } else {
            let own = padded(&value.abs().to_string());
            let other = padded(&format!("{whole}.{}", fraction.trim_end_matches('0')));
            let sign = |negative: bool, text: &str| match (text.trim_matches('0').is_empty(), negative) {
                (true, _) => 0,
                (false, true) => -1,
                (false, false) => 1,
            };
            let signs = (sign(value.is_negative(), &own), sign(float < 0.0, &other));
            signs.0.cmp(&signs.1).then_with(|| {
                let order = own.cmp(&other);
                if value.is_negative() { order.reverse() } else { order }
            })
        };
        prop_assert_eq!(value.cmp_f64(float), expected, "{} and {:e}", value, float);
    }

    #[test]
    fn a_sum_does_not_know_its_order(values in proptest::collection::vec(decimal(), 0..20), at in any::<proptest::sample::Index>()) {
        let sum = |values: &[Decimal]| {
            let mut sum = DecimalSum::default();
            for &value in values {
                sum.add(value);
            }
            sum
        };
        let whole = sum(&values);
        let mut reversed = values.clone();
        reversed.reverse();
        prop_assert_eq!(sum(&reversed), whole);
        let at = at.index(values.len() + 1);
        let mut merged = sum(&values[..at]);
        merged.merge(&sum(&values[at..]));
        prop_assert_eq!(merged, whole);
        let mut undone = whole;
        for &value in &values {
            undone.subtract(value);
        }
        prop_assert_eq!(undone, DecimalSum::default());
    }

    #[test]
    fn any_text_is_a_decimal_or_an_error(text in "[-+0-9.eE]{0,50}") {
        if let Ok(value) = text.parse::<Decimal>() {
            let float: f64 = text.parse().unwrap();
            prop_assert_eq!(value.to_f64().to_bits(), (float + 0.0).to_bits());
        }
    }

    #[test]
    fn a_float_is_what_it_is_written_as(float in -1e37..1e37_f64) {
        let value = Decimal::from_f64(float).unwrap();
        prop_assert!(value.to_f64().to_bits() == float.to_bits() || float.abs() < 1e-20);
    }
}

#[test]
fn serde_has_them_as_text() {
    for text in ["0", "-12.5", "99999999999999999999.000001"] {
        let value: Decimal = text.parse().unwrap();
        let json = serde_json::to_string(&value).unwrap();
        assert_eq!(json, format!("\"{value}\""));
        assert_eq!(serde_json::from_str::<Decimal>(&json).unwrap(), value);
    }
    assert_eq!(
        serde_json::from_str::<Decimal>("-7").unwrap().to_string(),
        "-7"
    );
    assert!(serde_json::from_str::<Decimal>("\"1e\"").is_err());
    assert!(
        serde_json::from_str::<Decimal>("1.5").is_err(),
        "a float is no decimal"
    );
}

#[test]
fn halves_are_rounded_away_from_zero() {
    let check = |text: &str, places: i32, wanted: Option<&str>| {
        let rounded = text.parse::<Decimal>().unwrap().round_away(places);
        assert_eq!(
            rounded,
            wanted.map(|wanted| wanted.parse().unwrap()),
            "{text} {places}"
        );
    };
    check("2.5", 0, Some("3"));
    check("-2.5", 0, Some("-3"));
    check("2.49", 0, Some("2"));
    check("2.675", 2, Some("2.68"));
    check("2.675", 9, Some("2.675"));
    check("1250", -2, Some("1300"));
    check("49", -2, Some("0"));
    check("50", -2, Some("100"));
    check("7", -60, Some("0"));
    check(
        "0.00000000000000000000000000000000000005",
        37,
        Some("0.0000000000000000000000000000000000001"),
    );
    check("99999999999999999999999999999999999999", -1, None);
    check(
        "99999999999999999999999999999999999994",
        -1,
        Some("99999999999999999999999999999999999990"),
    );
    check("-0.5", i32::MIN, Some("0"));
}

#[test]
fn a_float_is_exactly_a_decimal_or_none() {
    let least = 2f64.powi(-38);
    for float in [
        0.0,
        -0.0,
        0.5,
        -12.25,
        1e22,
        4_503_599_627_370_497.5,
        least,
        -least,
        1e37,
    ] {
        let exact = Decimal::exactly_f64(float).expect("38 digits hold it");
        assert!(exact.cmp_f64(float).is_eq(), "{float}");
    }
    let tiny = f64::MIN_POSITIVE / 2.0;
    for float in [
        0.1,
        least / 2.0,
        tiny,
        1e-300,
        1.5e38,
        1e300,
        f64::NAN,
        f64::INFINITY,
    ] {
        assert_eq!(Decimal::exactly_f64(float), None, "{float}");
    }
}
