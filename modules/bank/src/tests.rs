use syncline::testing::Database;

use super::{AccountAccess, ItemAccess, MarkerAccess, empty, post, update_tick};
use super::{open_accounts, put_item, total, transfer, transfer_marked};

fn open() -> Database {
    let mut database = Database::new();
    assert_eq!(database.call(|ctx| open_accounts(ctx, 3, 100)), Ok(3));
    assert_eq!(database.call(|ctx| open_accounts(ctx, 2, 100)), Ok(5));
    database
}

#[test]
fn transfers_move_money_and_keep_the_sum() {
    let mut database = open();
    assert_eq!(database.call(|ctx| transfer(ctx, 0, 4, 60)), Ok(()));
    assert_eq!(
        database.call(|ctx| transfer(ctx, 4, 4, 60)),
        Ok(()),
        "to itself"
    );
    for (from, to, amount) in [(0, 1, 60), (0, 9, 1), (9, 0, 1), (0, 1, 0), (0, 1, -5)] {
        let refused = database.call(|ctx| transfer(ctx, from, to, amount));
        assert!(refused.is_err(), "{amount} from {from} to {to}");
    }
    let balance = |id| {
        move |ctx: &_| {
            syncline::Context::db(ctx)
                .account()
                .find(id)
                .map(|a| a.balance)
        }
    };
    assert_eq!(database.run(balance(0)), Some(40));
    assert_eq!(database.run(balance(4)), Some(160));
    assert_eq!(database.run(total), 500);
}

#[test]
fn a_marker_is_used_once_and_only_with_its_transfer() {
    let mut database = open();
    assert_eq!(
        database.call(|ctx| transfer_marked(ctx, 7, 0, 1, 10)),
        Ok(())
    );
    let again = database.call(|ctx| transfer_marked(ctx, 7, 0, 1, 10));
    assert_eq!(
        again,
        Err("`marker` has a row with this id already".to_owned())
    );
    assert!(
        database
            .call(|ctx| transfer_marked(ctx, 8, 0, 1, 1000))
            .is_err()
    );
    assert_eq!(
        database.run(|ctx| ctx.db().marker().count()),
        1,
        "a refused transfer leaves none"
    );
}

#[test]
fn ticks_count_and_items_have_owners() {
    let mut database = open();
    database.run(empty);
    assert_eq!(database.call(|ctx| post(ctx, 1, "x".repeat(100))), Ok(()));
    assert_eq!(database.call(|ctx| update_tick(ctx, 3)), Ok(1));
    assert_eq!(database.call(|ctx| update_tick(ctx, 3)), Ok(2));
    assert_eq!(database.call(|ctx| put_item(ctx, 0, 5, 1)), Ok(1));
    assert_eq!(database.call(|ctx| put_item(ctx, 0, 5, 2)), Ok(2));
    assert_eq!(
        database.call(|ctx| put_item(ctx, 1, 6, 3)),
        Ok(1),
        "it changes hands"
    );
    assert_eq!(
        database.run(|ctx| ctx.db().item().by_owner().filter(5).count()),
        1
    );
}
