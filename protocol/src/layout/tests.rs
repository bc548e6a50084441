use proptest::prelude::*;

use super::*;
use crate::strategies::row;

proptest! {
    #[test]
    fn a_column_is_what_was_packed((types, columns) in row(), picks in proptest::collection::vec(any::<prop::sample::Index>(), 0..4)) {
        let layout = RowLayout::new(types);
        let mut bytes = columns.concat();
        prop_assert_eq!(layout.validate(&bytes), Ok(()));
        prop_assert_eq!(layout.canonicalize(&mut bytes), Ok(()));
        for (position, column) in columns.iter().enumerate() {
            prop_assert_eq!(layout.column(&bytes, position), &column[..]);
        }
        let values: Vec<&[u8]> = layout.values(&bytes).collect();
        prop_assert_eq!(&values, &columns);
        for end in 0..=columns.len() {
            for start in 0..=end {
                prop_assert_eq!(layout.columns(&bytes, start..end), columns[start..end].concat());
            }
        }
        let picks: Vec<u16> = picks.iter().map(|pick| pick.index(columns.len()) as u16).collect();
        let mut projected = Vec::new();
        layout.project(&bytes, &picks, &mut projected);
        let expected: Vec<_> = picks.iter().map(|&pick| &columns[usize::from(pick)][..]).collect();
        prop_assert_eq!(projected, expected.concat());
    }
}
