//! Bytes that nobody meant to be a module.

use std::sync::LazyLock;

use proptest::prelude::*;
use syncline_protocol::{ConnectionId, Identity};

use super::fixture::{World, database, wasm};
use super::hostile::ticking;
use crate::{CallContext, Host, RunLimits, Runner};

/// Short calls: a mutation may loop.
static HOST: LazyLock<Host> = LazyLock::new(|| {
    Host::new(RunLimits {
        call_ms_max: 10,
        memory_bytes_max: 2 << 20,
    })
    .unwrap()
});
static WASM: LazyLock<Vec<u8>> = LazyLock::new(|| wasm(vec![], ""));

/// Loads the bytes and, if that works, calls everything there is.
fn try_all(wasm: &[u8]) {
    let Ok(module) = HOST.load(wasm) else {
        return;
    };
    let (mut database, tables) = database(&module);
    let mut runner = Runner::new(&module);
    let context = CallContext {
        caller: Identity::default(),
        connection: ConnectionId::default(),
        time: 0,
        seed: [0; 32],
    };
    for reducer in 0..module.schema().reducers.len() {
        let transaction = database.begin();
        let (transaction, result) = runner.call(
            transaction,
            &tables,
            reducer,
            &context,
            &[0; 64],
            &mut Vec::new(),
        );
        if let Err(error) = result {
            assert!(!error.to_wire().message.is_empty());
        }
        database = transaction.rollback();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let with_magic = [b"\0asm\x01\0\0\0", &bytes[..]].concat();
        prop_assert!(HOST.load(&bytes).is_err());
        prop_assert!(HOST.load(&with_magic).is_err());
    }

    #[test]
    fn a_mutated_module_does_no_harm(
        edits in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
        cut in proptest::option::weighted(0.1, any::<proptest::sample::Index>()),
    ) {
        let mut wasm = WASM.clone();
        for (at, byte) in edits {
            let at = at.index(wasm.len());
            wasm[at] = byte;
        }
        if let Some(cut) = cut {
            wasm.truncate(cut.index(wasm.len()));
        }
        ticking(&HOST, || try_all(&wasm));
    }

    #[test]
    fn no_arguments_of_a_host_function_do_harm(
        function in 0..10_usize,
        args in proptest::collection::vec(
            prop_oneof![0..4_u32, 0x2_0000..0x2_0100_u32, 0xf_ff00..0x10_0100_u32, any::<u32>()], 7),
        tail in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let name = syncline_protocol::abi::IMPORTS[function];
        let mut world = World::of(&WASM, RunLimits::default());
        if let Err(error) = world.raw(name, &args, &tail) {
            prop_assert!(!error.to_string().is_empty());
        }
        prop_assert_eq!(world.call("ok", &[]), Ok(vec![]));
    }
}
