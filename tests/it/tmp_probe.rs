use carrier_sync::simulator::*;
use crate::fleet;
#[test]
fn probe_one() {
    let folder = tempfile::tempdir().unwrap();
    fleet::in_system(async {
    let c = SimulatorConfig { accounts: vec![SimulatedAccount::numbered(1, 4000)], ..Default::default() };
    let s = fleet::simulator(c);
    let t = std::time::Instant::now();
    let app = fleet::app(&fleet::sqlite_url(&folder), &[]);
    app.prepare().await.unwrap();
    println!("prepare {:?}", t.elapsed());
    let id = fleet::link_fleet(&app, &s, fleet::Account{tenant:"acme",org:1001,in_bulk:true}).await;
    println!("link {:?}", t.elapsed());
    let r = fleet::sync_one(&app).await;
    println!("sync {:?} {:?}", t.elapsed(), r.elapsed);
    let d = fleet::devices(&app, &id).await;
    println!("devices {:?} {}", t.elapsed(), d.len());
    });
}
