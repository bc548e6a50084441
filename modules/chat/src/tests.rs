use syncline::prelude::*;
use syncline::testing::Database;

use super::{MessageAccess, RoomAccess, UserAccess};

fn open() -> Database {
    let mut database = Database::new();
    database.call(super::init).expect("the tables are empty");
    database
        .call(super::connected)
        .expect("nobody is there yet");
    database
}

#[test]
fn people_talk_in_rooms() {
    let mut database = open();
    let lobby = database
        .run(|ctx| ctx.db().room().by_name().find("lobby"))
        .expect("from init")
        .id;
    let id = database
        .call(|ctx| super::send(ctx, lobby, " hello ".to_owned()))
        .expect("sent");
    let message = database
        .run(|ctx| ctx.db().message().find(id))
        .expect("it was just sent");
    assert_eq!(
        (message.text.as_str(), message.author),
        ("hello", database.caller)
    );
    let refused = database.call(|ctx| super::send(ctx, 99, "hello".to_owned()));
    assert_eq!(refused, Err("there is no room 99".to_owned()));

    let author = core::mem::replace(&mut database.caller, Identity([2; 32]));
    assert!(database.call(|ctx| super::take_back(ctx, id)).is_err());
    database.caller = author;
    assert_eq!(database.call(|ctx| super::take_back(ctx, id)), Ok(()));
    assert_eq!(database.run(|ctx| ctx.db().message().count()), 0);
}

#[test]
fn names_are_unique_and_presence_counts_connections() {
    let mut database = open();
    database.call(super::connected).expect("a second tab");
    assert_eq!(
        database.call(|ctx| super::set_name(ctx, "Ada".to_owned())),
        Ok(())
    );
    assert_eq!(
        database.call(|ctx| super::set_name(ctx, "Ada".to_owned())),
        Ok(()),
        "again"
    );
    let ada = core::mem::replace(&mut database.caller, Identity([2; 32]));
    database.call(super::connected).expect("someone else");
    let taken = database.call(|ctx| super::set_name(ctx, "Ada".to_owned()));
    assert_eq!(taken, Err("Ada is taken".to_owned()));

    database.caller = ada;
    let connections = |ctx: &Context| {
        ctx.db()
            .user()
            .find(ada)
            .map(|user| (user.name, user.connections))
    };
    assert_eq!(database.run(connections), Some((Some("Ada".to_owned()), 2)));
    database.call(super::disconnected).expect("a tab goes");
    assert_eq!(database.run(connections), Some((Some("Ada".to_owned()), 1)));
}

#[test]
fn rooms_have_names_of_their_own() {
    let mut database = open();
    let refused = database.call(|ctx| super::open_room(ctx, "lobby".to_owned()));
    assert_eq!(
        refused,
        Err("`room` has a row with this name already".to_owned())
    );
    assert_eq!(
        database.call(|ctx| super::open_room(ctx, "quiet".to_owned())),
        Ok(2)
    );
    assert_eq!(
        database.take_log(),
        [(log::Level::Info, "room 2 is quiet".to_owned())]
    );
}
