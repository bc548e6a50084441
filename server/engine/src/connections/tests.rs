use super::*;

fn connection(index: u32) -> Connection {
    Connection {
        key: ConnKey {
            index,
            generation: 1,
        },
        id: ConnectionId::default(),
        identity: Identity::default(),
        admin: false,
        claims: syncline_protocol::Claims::NONE,
        encoding: Encoding::MessagePack,
        delivery: Delivery::Confirmed,
        subscriptions: Vec::new(),
    }
}

/// Against a plain list of how many subscriptions each connection has.
#[test]
fn whoever_comes_and_goes_the_subscribers_are_those_who_are_there() {
    const CONNECTIONS: usize = 100;
    const HANDLE: u64 = 7;
    let mut state = 9_u64;
    let mut random = move |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % below
    };
    let mut subscribers = Subscribers::default();
    let mut counts = [0; CONNECTIONS];
    let (mut most, mut searched) = (0, 0);
    for round in 0..20_000 {
        let index = random(CONNECTIONS);
        let connection = connection(index as u32);
        // Tides: for a while more come than go, then more go than come.
        let tide = if round / 2000 % 2 == 0 { 7 } else { 1 };
        if random(10) < tide {
            subscribers.add(HANDLE, &connection, counts[index] > 0);
            counts[index] += 1;
        } else {
            subscribers.remove(HANDLE, connection.key);
            counts[index] = u32::max(counts[index], 1) - 1;
        }
        let found = subscribers.of(HANDLE);
        let expected = counts.iter().filter(|count| **count > 0).count();
        assert_eq!(found.len(), expected);
        let is_right = |known: &Subscriber| counts[known.conn.index as usize] == known.count;
        assert!(found.iter().all(is_right));
        if let Some(receivers) = subscribers.by_handle.get(&HANDLE) {
            let is_indexed = receivers.positions.is_some();
            most = most.max(if is_indexed { found.len() } else { 0 });
            searched += usize::from(!is_indexed);
        }
    }
    assert!(most > 90 && searched > 50, "{most} {searched}");
}
