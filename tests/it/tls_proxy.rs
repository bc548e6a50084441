//! What stands in front of a server in earnest: a proxy that speaks TLS outside and plain TCP inside. Used
//! by the tests of the command line as well.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// Signs certificates of proxies.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Certificate,
}

/// A proxy on a free port of this machine; gone when dropped.
pub(crate) struct TlsProxy {
    address: SocketAddr,
    /// Counts the cuts; `None` is the end.
    cuts: watch::Sender<Option<u32>>,
    thread: Option<JoinHandle<()>>,
}

impl Authority {
    /// A new one that nobody trusts yet.
    pub(crate) fn new() -> Self {
        Self::named("an authority")
    }

    /// A new one of this name.
    pub(crate) fn named(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self {
            issuer: Issuer::new(params, key),
            certificate,
        }
    }

    /// What a client must have to trust it.
    pub(crate) fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// A proxy in front of `server` with a certificate for these names.
    pub(crate) fn proxy(&self, server: SocketAddr, names: &[&str]) -> TlsProxy {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let params = CertificateParams::new(names).unwrap();
        self.proxy_with(server, &params)
    }

    /// A proxy whose certificate is of these terms.
    pub(crate) fn proxy_with(&self, server: SocketAddr, params: &CertificateParams) -> TlsProxy {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        TlsProxy::start(server, TlsAcceptor::from(Arc::new(config)))
    }
}

impl TlsProxy {
    fn start(server: SocketAddr, acceptor: TlsAcceptor) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (cuts, cut) = watch::channel(Some(0));
        let thread = std::thread::spawn(move || {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            let runtime = builder.enable_all().build().unwrap();
            runtime.block_on(serve(listener, server, acceptor, cut));
        });
        Self {
            address,
            cuts,
            thread: Some(thread),
        }
    }

    /// Its address under a name that stands for this machine.
    pub(crate) fn url(&self, host: &str) -> String {
        format!("https://{host}:{}", self.address.port())
    }

    /// Ends all connections, but takes new ones.
    pub(crate) fn cut(&self) {
        self.cuts
            .send_modify(|cut| *cut = cut.map(|count| count + 1));
    }
}

impl Drop for TlsProxy {
    fn drop(&mut self) {
        self.cuts.send_replace(None);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the proxy fell");
        }
    }
}

async fn serve(
    listener: std::net::TcpListener,
    server: SocketAddr,
    acceptor: TlsAcceptor,
    mut cut: watch::Receiver<Option<u32>>,
) {
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (client, _) = accepted.unwrap();
                tokio::spawn(pass(client, server, acceptor.clone(), cut.clone()));
            }
            changed = cut.changed() => {
                if changed.is_err() || cut.borrow_and_update().is_none() {
                    return;
                }
            }
        }
    }
}

async fn pass(
    client: TcpStream,
    server: SocketAddr,
    acceptor: TlsAcceptor,
    mut cut: watch::Receiver<Option<u32>>,
) {
    cut.mark_unchanged();
    let copied = async {
        // A client that does not trust us, or does not speak TLS, is gone again at once.
        let mut client = acceptor.accept(client).await?;
        let mut server = TcpStream::connect(server).await?;
        tokio::io::copy_bidirectional(&mut client, &mut server).await
    };
    tokio::select! {
        copied = copied => drop(copied),
        _ = cut.changed() => {}
    }
}
