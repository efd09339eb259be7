//! A Postgres database per test: its own database, an owner role and a role that row-level security
//! binds, all dropped at the end. Tests therefore run side by side.
//!
//! ```ignore
//! let database = TestDatabase::create().await;   // an empty database
//! database.migrate().await;                      // our tables, rights for the service role
//! let store = database.service_store();          // what the service is
//! let admin = database.owner_store();            // what an operator's command is
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use carrier_sync::runs::Retention;
use carrier_sync::store::{Store, StoreOptions, connect};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, raw_sql};
use url::Url;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// Options for a store at this address, with limits that suit a busy test machine.
pub fn store_options(url: &str) -> StoreOptions {
    StoreOptions {
        url: url.into(),
        max_connections: 4,
        acquire_timeout: Duration::from_secs(20),
        statement_timeout: Duration::from_secs(30),
        lock_timeout: Duration::from_secs(20),
        runs: Retention {
            keep: Duration::from_secs(30 * 24 * 3_600),
            per_integration: 5,
        },
    }
}

/// A fresh database of the server that `TEST_DATABASE_URL` names, dropped with this value.
#[derive(Debug)]
pub struct TestDatabase {
    server: Url,
    name: String,
}

impl TestDatabase {
    /// Makes the database, its owner `NAME_owner` and the service's role `NAME_service`
    /// (LOGIN NOSUPERUSER NOBYPASSRLS). No tables yet: see [`TestDatabase::migrate`].
    ///
    /// # Panics
    /// Without a server: a test that needs one never passes by not running.
    pub async fn create() -> Self {
        let server = std::env::var("TEST_DATABASE_URL")
            .expect("no Postgres to test with: run ./scripts/test.sh or set TEST_DATABASE_URL");
        Self::create_on(Url::parse(&server).expect("TEST_DATABASE_URL is a postgres:// URL")).await
    }

    /// As [`TestDatabase::create`], on another server, named by its superuser's URL.
    pub async fn create_on(server: Url) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!(
            "cs_{}_{number}_{:08x}",
            std::process::id(),
            rand::random::<u32>()
        );
        let database = Self { server, name };
        let name = &database.name;
        execute(
            database.server.as_str(),
            &[
                format!("CREATE ROLE {name}_owner LOGIN PASSWORD '{name}' NOSUPERUSER NOBYPASSRLS"),
                format!(
                    "CREATE ROLE {name}_service LOGIN PASSWORD '{name}' NOSUPERUSER NOBYPASSRLS"
                ),
                format!("CREATE DATABASE {name} OWNER {name}_owner TEMPLATE template0"),
            ],
        )
        .await;
        database
    }

    /// As [`TestDatabase::create`], with our tables and the service role's rights.
    pub async fn migrated() -> Self {
        let database = Self::create().await;
        database.migrate().await;
        database
    }

    /// What `carrier-sync migrate --service-role` does, as the owner.
    pub async fn migrate(&self) {
        let store = self.owner_store();
        store
            .migrate(Some(&self.service_role()))
            .await
            .expect("the migration succeeds");
        store.close().await;
    }

    /// The role that the service logs in as; row-level security binds it.
    pub fn service_role(&self) -> String {
        format!("{}_service", self.name)
    }

    /// The role that owns the database and its tables.
    pub fn owner_role(&self) -> String {
        format!("{}_owner", self.name)
    }

    /// This database, as the service.
    pub fn service_url(&self) -> String {
        self.url_as(&self.service_role())
    }

    /// This database, as the owner of its tables.
    pub fn owner_url(&self) -> String {
        self.url_as(&self.owner_role())
    }

    /// This database, as the superuser of `TEST_DATABASE_URL`.
    pub fn superuser_url(&self) -> String {
        let mut url = self.server.clone();
        url.set_path(&self.name);
        url.into()
    }

    /// This database, as any role whose password is the database's name.
    pub fn url_as(&self, role: &str) -> String {
        let mut url = Url::parse(&self.superuser_url()).unwrap();
        url.set_username(role).unwrap();
        url.set_password(Some(&self.name)).unwrap();
        url.into()
    }

    /// A store as the service has it.
    pub fn service_store(&self) -> Arc<dyn Store> {
        connect(&store_options(&self.service_url())).unwrap()
    }

    /// A store as an operator's administrative command has it.
    pub fn owner_store(&self) -> Arc<dyn Store> {
        connect(&store_options(&self.owner_url())).unwrap()
    }

    /// A bare connection that sees everything, for arranging and looking.
    pub async fn superuser(&self) -> PgConnection {
        PgConnection::connect(&self.superuser_url())
            .await
            .expect("the server is up")
    }

    /// Runs SQL as the superuser, past row-level security.
    pub async fn execute(&self, sql: &str) {
        execute(&self.superuser_url(), &[sql.to_owned()]).await;
    }

    /// Runs SQL as the owner, so that the tables made are the owner's.
    pub async fn execute_as_owner(&self, sql: &str) {
        execute(&self.owner_url(), &[sql.to_owned()]).await;
    }
}

async fn execute(url: &str, statements: &[String]) {
    let mut connection = PgConnection::connect(url).await.expect("the server is up");
    for sql in statements {
        let done = raw_sql(AssertSqlSafe(sql.clone()))
            .execute(&mut connection)
            .await;
        done.unwrap_or_else(|error| panic!("{error}\n{sql}"));
    }
    connection.close().await.unwrap();
}

impl Drop for TestDatabase {
    /// A thread of its own, because the test's runtime may be shutting down.
    fn drop(&mut self) {
        let (server, name) = (self.server.to_string(), self.name.clone());
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let mut connection = PgConnection::connect(&server).await?;
                for sql in [
                    format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
                    format!("DROP ROLE IF EXISTS {name}_owner"),
                    format!("DROP ROLE IF EXISTS {name}_service"),
                ] {
                    raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
                }
                connection.close().await
            })
        });
        if let Ok(Err(error)) = dropped.join() {
            eprintln!("left behind test database {}: {error}", self.name);
        }
    }
}
