//! The Rust client through a proxy that speaks TLS.

use std::time::Duration;

use rcgen::{CertificateParams, date_time_ymd};
use syncline_client::tls::Roots;
use syncline_client::{Builder, Client, ConnectionState, Error, TlsProblem};

use crate::rust_client::block_on;
use crate::server::TestServer;

use crate::tls_proxy::Authority;

/// A client that trusts this authority and nobody else.
fn client_of(url: &str, authority: &Authority) -> Builder {
    let roots = Roots::none().with_pem(authority.pem().as_bytes()).unwrap();
    Client::builder(url, "bank")
        .roots(roots)
        .reconnect(Duration::from_millis(10), Duration::from_millis(100))
}

#[test]
fn calls_subscribes_and_comes_back() {
    let server = TestServer::of("bank");
    let authority = Authority::new();
    let proxy = authority.proxy(server.server().address(), &["localhost", "127.0.0.1"]);
    block_on(async {
        let client = client_of(&proxy.url("localhost"), &authority);
        let client = client.connect().await.unwrap();
        let mut accounts = client
            .subscribe("SELECT id, balance FROM account", &[])
            .await
            .unwrap();
        accounts.ready().await.unwrap();
        client.call("open_accounts", (2, 7)).await.unwrap();
        assert_eq!(accounts.rows().len(), 2);
        // More than a TLS record holds, both ways.
        client.call("open_accounts", (5000, 1)).await.unwrap();
        assert_eq!(accounts.rows().len(), 5002);
        let fresh = client.query("SELECT id, balance FROM account", &[]).await;
        assert_eq!(fresh.unwrap().len(), 5002);

        let (identity, connection) = (client.identity(), client.connection());
        let mut states = client.state_changes();
        proxy.cut();
        states.wait_for(|state| !state.is_online()).await.unwrap();
        states.wait_for(ConnectionState::is_online).await.unwrap();
        assert_eq!(client.identity(), identity);
        assert_ne!(client.connection(), connection);
        client.call("open_accounts", (1, 7)).await.unwrap();
        while accounts.rows().len() < 5003 {
            accounts.changed().await.unwrap();
        }
        client.close().await;

        // By its IP address, which a certificate can have as well.
        let client = client_of(&proxy.url("127.0.0.1"), &authority);
        client.connect().await.unwrap().close().await;
    });
}

#[test]
fn what_is_not_believed_is_told_apart() {
    let server = TestServer::of("bank");
    let (address, authority) = (server.server().address(), Authority::new());
    let proxy = authority.proxy(address, &["localhost"]);
    let url = proxy.url("localhost");
    let mut old = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    old.not_before = date_time_ymd(2001, 1, 1);
    old.not_after = date_time_ymd(2002, 1, 1);
    let old = authority.proxy_with(address, &old);
    let mut itself = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    itself.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let itself = authority.proxy_with(address, &itself);
    let plain = server.server().url();
    let stranger = Authority::named("a stranger");
    let cases = [
        (
            client_of(&url, &Authority::new()),
            TlsProblem::UntrustedIssuer,
            "signed with another key",
        ),
        (
            client_of(&url, &stranger),
            TlsProblem::UntrustedIssuer,
            "nobody who is trusted",
        ),
        (
            Client::builder(&url, "bank").roots(Roots::none()),
            TlsProblem::NoRoots,
            "no certificates",
        ),
        (
            client_of(&proxy.url("127.0.0.1"), &authority),
            TlsProblem::WrongName,
            "is for localhost, not for 127.0.0.1",
        ),
        (
            client_of(&old.url("localhost"), &authority),
            TlsProblem::OutOfDate,
            "expired",
        ),
        (
            client_of(&itself.url("localhost"), &authority),
            TlsProblem::AuthorityAsServer,
            "CA:TRUE",
        ),
        (
            client_of(&plain.replace("http://", "wss://"), &authority),
            TlsProblem::PlainServer,
            "does not speak TLS",
        ),
        (
            client_of(&url.replace("https://", "http://"), &authority),
            TlsProblem::TlsServer,
            "plain HTTP",
        ),
    ];
    block_on(async {
        for (builder, problem, words) in cases {
            let error = builder.connect().await.unwrap_err();
            let Error::Tls(told) = &error else {
                panic!("{problem:?} came as {error}");
            };
            assert_eq!(told.problem(), problem, "{error}");
            assert!(error.to_string().contains(words), "{error}");
            assert!(error.hint().is_some(), "{error}");
        }
        // The server is as well as before.
        let client = client_of(&url, &authority).connect().await.unwrap();
        client.call("open_accounts", (1, 1)).await.unwrap();
        client.close().await;
    });
}
