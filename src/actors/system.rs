//! Where actors live: an actix system on a runtime with a thread per core.
//!
//! Actors share the system's one arbiter; syncs, flushes and HTTP run on the runtime's workers.

/// Runs `service` until it ends.
///
/// # Errors
/// The system's own, when it gives no threads.
pub fn in_system<T>(service: impl Future<Output = T>) -> std::io::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("carrier-sync")
        .build()?;
    Ok(actix::System::with_tokio_rt(|| runtime).block_on(service))
}
