use syncline::prelude::*;

#[table(index(ordered, columns(room, sent_at)))]
struct Message {
    #[primary_key]
    id: u64,
    #[index(hash)]
    room: u32,
    sent_at: Timestamp,
    #[unique]
    link: String,
}

fn read(ctx: &Context) {
    let messages = ctx.db().message();
    messages.find("seven");
    messages.find((1, 2));
    messages.by_room().range(1..5);
    messages.by_room().find(1);
    messages.by_link().filter("x");
    messages.by_room_sent_at().filter("x");
    messages.by_room_sent_at().filter((1, 2));
    messages.by_room_sent_at().range((1, 2, 3..));
    messages.by_room_sent_at().range("a".."b");
    ctx.db().room();
}

fn main() {}
