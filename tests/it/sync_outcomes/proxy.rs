//! A line to the database that can be cut: every connection through it ends, and no new one is made
//! until it is mended.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use url::Url;

/// Passes connections on to a server.
pub(super) struct Line {
    url: Url,
    is_whole: watch::Sender<bool>,
    refused: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl Line {
    /// A line to the server of `url`.
    pub(super) async fn to(url: &str) -> Self {
        let mut url = Url::parse(url).unwrap();
        let server = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(listener.local_addr().unwrap().port()))
            .unwrap();
        let (is_whole, watched) = watch::channel(true);
        let refused = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&refused);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *watched.borrow() {
                    tokio::spawn(pass(client, server.clone(), watched.clone()));
                } else {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Self {
            url,
            is_whole,
            refused,
            accepting,
        }
    }

    /// The database, at this end of the line.
    pub(super) fn url(&self) -> &str {
        self.url.as_str()
    }

    /// Ends every connection and refuses new ones.
    pub(super) fn cut(&self) {
        self.is_whole.send_replace(false);
    }

    /// Lets connections through again.
    pub(super) fn mend(&self) {
        self.is_whole.send_replace(true);
    }

    /// Connections refused so far.
    pub(super) fn refused(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn pass(mut client: TcpStream, server: String, mut is_whole: watch::Receiver<bool>) {
    let Ok(mut server) = TcpStream::connect(server).await else {
        return;
    };
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        _ = is_whole.wait_for(|whole| !whole) => {}
    }
}
