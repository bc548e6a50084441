use super::{NotAUuid, Uuid};

#[test]
fn text_and_back() {
    let text = "00112233-4455-6677-8899-aabbccddeeff";
    let uuid: Uuid = text.parse().expect("a well-formed UUID");
    assert_eq!(uuid.0[..4], [0x00, 0x11, 0x22, 0x33]);
    assert_eq!(uuid.to_string(), text);
    assert_eq!(text.to_uppercase().parse(), Ok(uuid));
}

#[test]
fn what_is_not_a_uuid_is_refused() {
    for text in [
        "",
        "00112233445566778899aabbccddeeff",
        "00112233-4455-6677-8899-aabbccddeef",
        "00112233-4455-6677-8899-aabbccddeefg",
        "001122334-455-6677-8899-aabbccddeeff",
        "0011223--4455-6677-8899-aabbccddeeff",
    ] {
        assert_eq!(text.parse::<Uuid>(), Err(NotAUuid), "{text}");
    }
}
