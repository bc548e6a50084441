use super::snake_case;

#[test]
fn structs_become_tables() {
    for (name, snake) in [
        ("Message", "message"),
        ("HttpLog", "http_log"),
        ("HTTPLog", "http_log"),
        ("Room2", "room2"),
        ("already_snake", "already_snake"),
        ("A", "a"),
        ("ABTest", "ab_test"),
    ] {
        assert_eq!(snake_case(name), snake, "{name}");
    }
}
