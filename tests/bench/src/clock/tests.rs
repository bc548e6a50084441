use std::path::Path;
use std::time::{Duration, Instant};

use super::{ProcessClock, filesystem, refuse_memory};

#[test]
fn a_process_that_works_uses_time_and_memory() {
    let clock = ProcessClock::new(std::process::id());
    let before = clock.cpu().unwrap();
    let start = Instant::now();
    let mut sum = 0_u64;
    while clock.cpu().unwrap() < before + Duration::from_millis(50) {
        sum = std::hint::black_box(sum.wrapping_add(1));
        assert!(start.elapsed() < Duration::from_mins(1), "no time passes");
    }
    assert!(clock.resident().unwrap() > 100_000);
    assert!(ProcessClock::new(u32::MAX).cpu().is_err());
}

#[test]
fn filesystems_have_names_and_those_in_memory_are_refused() {
    assert_eq!(filesystem(Path::new("/proc/self")).unwrap(), "proc");
    assert!(filesystem(Path::new("/no/such/folder")).is_err());
    refuse_memory("ext4").unwrap();
    assert!(refuse_memory("tmpfs").is_err());
}
