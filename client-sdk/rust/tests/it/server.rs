//! A server whose every word is in the test's hands.

use futures_util::{SinkExt, StreamExt};
use serde_bytes::ByteBuf;
use syncline_client::Client;
use syncline_client::protocol::message::{
    Args, Call, ClientMessage, Commit, Delta, DeltaOp, DeltaWriter, Encoding, Hello, Pong, Query,
    QueryForm, Reply, ResultColumn, ResultDescription, ServerMessage, Snapshot, Subscribe, Welcome,
};
use syncline_client::protocol::{
    ColumnDef, ConnectionId, Epoch, Field, Identity, Lsn, ReducerDef, ReducerKind, Schema,
    TableDef, Type, WireError,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

/// Waits for connections.
pub(crate) struct Server {
    listener: TcpListener,
}

/// The server's end of a connection.
pub(crate) struct Peer {
    socket: WebSocketStream<TcpStream>,
}

/// A table `player(id u64, name string)`, and reducers `rename(id, name) -> u64` and `tick()`.
pub(crate) fn schema() -> Schema {
    let column = |name: &str, ty| ColumnDef {
        name: name.into(),
        ty,
    };
    let player = TableDef {
        name: "player".into(),
        columns: vec![column("id", Type::U64), column("name", Type::String)],
        primary_key: vec![0],
        indexes: Vec::new(),
        auto_increment: None,
        public: true,
    };
    let field = |name: &str, ty| Field {
        name: name.into(),
        ty,
    };
    let rename = ReducerDef {
        name: "rename".into(),
        params: vec![field("id", Type::U64), field("name", Type::String)],
        returns: Some(Type::U64),
        kind: ReducerKind::Call,
    };
    let tick = ReducerDef {
        name: "tick".into(),
        params: Vec::new(),
        returns: None,
        ..rename.clone()
    };
    Schema {
        tables: vec![player],
        reducers: vec![rename, tick],
        ..Schema::default()
    }
}

pub(crate) fn row(id: u64, name: &str) -> Vec<u8> {
    let mut row = id.to_le_bytes().to_vec();
    row.extend_from_slice(&(name.len() as u32).to_le_bytes());
    row.extend_from_slice(name.as_bytes());
    row
}

pub(crate) fn description() -> ResultDescription {
    let column = |name: &str, ty| ResultColumn {
        name: name.into(),
        ty,
        hidden: false,
    };
    ResultDescription {
        columns: vec![column("id", Type::U64), column("name", Type::String)],
        key: vec![0],
        order: Vec::new(),
    }
}

pub(crate) fn insert(id: u64, name: &str) -> Vec<u8> {
    let mut ops = Vec::new();
    DeltaWriter::new(&mut ops).push(DeltaOp::Insert {
        row: &row(id, name),
    });
    ops
}

pub(crate) fn delete(id: u64) -> Vec<u8> {
    let mut ops = Vec::new();
    DeltaWriter::new(&mut ops).push(DeltaOp::Delete {
        key: &id.to_le_bytes(),
    });
    ops
}

pub(crate) fn rename(id: u64, name: &str) -> Vec<u8> {
    let mut ops = Vec::new();
    let op = DeltaOp::Update {
        key: &id.to_le_bytes(),
        mask: &[0b10],
        values: &row(id, name)[8..],
    };
    DeltaWriter::new(&mut ops).push(op);
    ops
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self {
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.listener.local_addr().unwrap())
    }

    /// The next connection, before anything was said.
    pub(crate) async fn accept_tcp(&self) -> TcpStream {
        self.listener.accept().await.unwrap().0
    }

    /// The next connection, upgraded.
    pub(crate) async fn accept(&self) -> Peer {
        #[expect(
            clippy::result_large_err,
            reason = "tungstenite's callback has this type"
        )]
        let choose = |request: &Request, mut response: Response| {
            assert_eq!(request.uri().path(), "/v1/databases/game/connect");
            let offered = request.headers()["sec-websocket-protocol"].clone();
            assert_eq!(offered, Encoding::MessagePack.subprotocol());
            response
                .headers_mut()
                .insert("sec-websocket-protocol", offered);
            Ok(response)
        };
        let tcp = self.accept_tcp().await;
        let socket = tokio_tungstenite::accept_hdr_async(tcp, choose)
            .await
            .unwrap();
        Peer { socket }
    }

    /// The next connection, welcomed; and its Hello's token and schema hash.
    pub(crate) async fn welcome(&self, lsn: u64) -> (Peer, [Option<String>; 2]) {
        let mut peer = self.accept().await;
        let hello = peer.hello().await;
        let is_known = hello[1].as_deref() == Some("5c");
        peer.send(ServerMessage::Welcome(Welcome {
            identity: Identity([1; 32]),
            connection: ConnectionId([2; 16]),
            token: hello[0].is_none().then(|| "made".into()),
            epoch: Epoch(3),
            lsn: Lsn(lsn),
            schema_hash: "5c".into(),
            schema: (!is_known).then(|| serde_json::to_string(&schema()).unwrap()),
            server: "fake".into(),
        }))
        .await;
        (peer, hello)
    }

    /// A client and the server's end of its first connection.
    pub(crate) async fn client(&self) -> (Client, Peer) {
        let millis = std::time::Duration::from_millis;
        let builder = Client::builder(&self.url(), "game").reconnect(millis(1), millis(20));
        let (client, (peer, _)) = tokio::join!(builder.connect(), self.welcome(10));
        (client.unwrap(), peer)
    }
}

impl Peer {
    pub(crate) async fn send(&mut self, message: ServerMessage) {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        self.socket.send(Message::binary(bytes)).await.unwrap();
    }

    /// The next message; `None` when the client has gone.
    async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            match self.socket.next().await? {
                Ok(Message::Binary(bytes)) => return Some(bytes.to_vec()),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    pub(crate) async fn expect<T>(
        &mut self,
        pick: impl FnOnce(ClientMessage<'_>) -> Option<T>,
    ) -> T {
        let bytes = self.next().await.expect("the client is there");
        let message = ClientMessage::decode(Encoding::MessagePack, &bytes).unwrap();
        let shown = format!("{message:?}");
        pick(message).unwrap_or_else(|| panic!("unexpected {shown}"))
    }

    async fn hello(&mut self) -> [Option<String>; 2] {
        self.expect(|message| match message {
            ClientMessage::Hello(Hello {
                token, schema_hash, ..
            }) => Some([token, schema_hash].map(|text| text.map(String::from))),
            _ => None,
        })
        .await
    }

    /// Id, name of the reducer and packed arguments.
    pub(crate) async fn call(&mut self) -> (u32, String, Vec<u8>) {
        self.expect(|message| match message {
            ClientMessage::Call(Call {
                id,
                reducer,
                args: Args::Packed(args),
                ..
            }) => Some((id, reducer.into(), args.into())),
            _ => None,
        })
        .await
    }

    pub(crate) async fn query(&mut self) -> u32 {
        self.expect(|message| match message {
            ClientMessage::Query(Query { id, .. }) => Some(id),
            _ => None,
        })
        .await
    }

    /// Id and SQL.
    pub(crate) async fn subscribe(&mut self) -> (u32, String) {
        self.expect(|message| match message {
            ClientMessage::Subscribe(Subscribe { id, sql, .. }) => Some((id, sql_of(sql))),
            _ => None,
        })
        .await
    }

    /// Id of the request, and of the subscription that it ends.
    pub(crate) async fn unsubscribe(&mut self) -> (u32, u32) {
        self.expect(|message| match message {
            ClientMessage::Unsubscribe(request) => Some((request.id, request.subscription)),
            _ => None,
        })
        .await
    }

    pub(crate) async fn ping(&mut self) -> u32 {
        self.expect(|message| match message {
            ClientMessage::Ping(ping) => Some(ping.id),
            _ => None,
        })
        .await
    }

    /// Returns when the client has taken in everything that was sent before.
    pub(crate) async fn barrier(&mut self, client: &Client) {
        let answer = async {
            let id = self.ping().await;
            self.send(ServerMessage::Pong(Pong { id, lsn: Lsn(0) }))
                .await;
        };
        let (pinged, ()) = super::soon(async { tokio::join!(client.ping(), answer) }).await;
        pinged.unwrap();
    }

    /// Waits for the client to say goodbye, whatever it says before.
    pub(crate) async fn gone(mut self) {
        while self.next().await.is_some() {}
    }

    /// A chunk of a Snapshot; the first has the description.
    pub(crate) async fn snapshot(&mut self, id: u32, handle: u64, chunk: SnapshotChunk<'_>) {
        let SnapshotChunk {
            lsn,
            rows,
            first,
            last,
        } = chunk;
        let row_count = rows.len() as u32;
        let rows = rows
            .iter()
            .flat_map(|(id, name)| row(*id, name))
            .collect::<Vec<u8>>();
        self.send(ServerMessage::Snapshot(Snapshot {
            id,
            handle,
            lsn: Lsn(lsn),
            description: first.then(description),
            rows: ByteBuf::from(rows),
            row_count,
            last,
        }))
        .await;
    }

    pub(crate) async fn commit(&mut self, lsn: u64, deltas: &[(u64, Vec<u8>)]) {
        let deltas = deltas.iter().map(|(handle, ops)| Delta {
            handle: *handle,
            ops: ByteBuf::from(ops.clone()),
        });
        let commit = Commit {
            lsn: Lsn(lsn),
            deltas: deltas.collect(),
        };
        self.send(ServerMessage::Commit(commit)).await;
    }

    pub(crate) async fn reply(&mut self, id: u32, lsn: u64, value: &[u8]) {
        let value = Some(ByteBuf::from(value));
        self.send(ServerMessage::Reply(Reply {
            id,
            lsn: Lsn(lsn),
            value,
            error: None,
        }))
        .await;
    }

    pub(crate) async fn refuse(&mut self, id: u32, error: WireError) {
        let reply = Reply {
            id,
            lsn: Lsn(0),
            value: None,
            error: Some(error),
        };
        self.send(ServerMessage::Reply(reply)).await;
    }
}

/// Rows of a chunk, and where it stands in its Snapshot.
#[derive(Clone, Copy)]
pub(crate) struct SnapshotChunk<'a> {
    pub(crate) lsn: u64,
    pub(crate) rows: &'a [(u64, &'a str)],
    pub(crate) first: bool,
    pub(crate) last: bool,
}

/// A Snapshot in one chunk.
pub(crate) fn whole<'a>(lsn: u64, rows: &'a [(u64, &'a str)]) -> SnapshotChunk<'a> {
    SnapshotChunk {
        lsn,
        rows,
        first: true,
        last: true,
    }
}

fn sql_of(form: QueryForm<'_>) -> String {
    match form {
        QueryForm::Sql(sql) => sql.into_owned(),
        other => panic!("expected SQL text, found {other:?}"),
    }
}
