//! Who reaches what: without scripts, by keyboard, by ear, in the dark, on a phone.

use super::super::Place;
use super::super::served::Served;
use super::pages::{TOKEN, add_trap, place};
use super::{Browser, Look};

/// A service with an integration that works and one that fails, both at rest.
fn served() -> (Place, Served, String) {
    let place = place(40);
    let id = place.link();
    add_trap(&place);
    let served = Served::by(&place);
    super::super::until("both are at rest", || {
        let totals = served.get("/api/v1/totals").json();
        (totals["by_outcome"]["success"] == 1 && totals["devices"]["fresh"] == 40).then_some(())
    });
    (place, served, id)
}

#[test]
fn without_scripts_everything_is_there_and_can_be_done() {
    let (_place, served, id) = served();
    let browser = Browser::open(Look {
        scripts: false,
        ..Look::DESK
    });
    let page = format!("http://{}", served.address);
    browser.goto(&page);
    browser.reads("#figures .fresh dd", "40");
    browser.types("input[name=q]", &id);
    browser.click("form.filter button");
    browser.reads("#pager", "1–1 of 1");
    browser.click("#integrations a");
    browser.click_link("Sign in to sync now, pause or resume");
    browser.types("input[name=token]", "guess-guess-guess");
    browser.click(".login button");
    browser.reads("[role=alert]", "That is not the token.");
    browser.types("input[name=token]", TOKEN);
    browser.click(".login button");
    browser.click("#do-pause");
    browser.reads(".notice", "Its timer is switched off");
    browser.reads("#facts", "paused");
    browser.click("#do-resume");
    browser.reads(".notice", "Its timer is switched on");
    browser.click("header button");
    browser.reads("header", "Sign in");
    assert!(browser.address().ends_with('/'), "{}", browser.address());
}

#[test]
fn the_keyboard_reaches_everything_and_finds_the_content_first() {
    const TAB: &str = "\u{e004}";
    const ENTER: &str = "\u{e007}";
    let (_place, served, _) = served();
    let browser = Browser::open(Look::DESK);
    browser.goto(&format!("http://{}/", served.address));
    let focus =
        || browser.asks("return document.activeElement.textContent || document.activeElement.name");
    browser.presses(TAB);
    assert_eq!(focus(), "Skip to content");
    browser.keeps("skip-to-content");
    browser.presses(ENTER);
    assert_eq!(browser.asks("return document.activeElement.id"), "content");
    let mut reached = Vec::new();
    loop {
        browser.presses(TAB);
        if browser.asks("return document.activeElement === document.body") == true {
            break;
        }
        assert!(reached.len() < 100, "no end: {reached:?}");
        let text = focus();
        let text = text.as_str().unwrap_or_default().to_owned();
        let outline = browser.asks("return getComputedStyle(document.activeElement).outlineStyle");
        assert_ne!(outline, "none", "the focus shows on {text}");
        reached.push(text);
    }
    let is_reached = |wanted: &str| reached.iter().any(|text| text == wanted);
    for wanted in ["all 2", "q", "tenant", "Filter"] {
        assert!(is_reached(wanted), "{wanted} is not in {reached:?}");
    }
    assert!(!is_reached("Sign in"), "that was skipped: {reached:?}");
}

/// What a screen reader needs: names for fields, headings in order, a language, landmarks, tables with heads.
#[test]
fn whoever_listens_is_told_what_everything_is() {
    let (_place, served, id) = served();
    let browser = Browser::open(Look::DESK);
    for path in ["/", &format!("/integrations/{id}"), "/login", "/nowhere"] {
        browser.goto(&format!("http://{}{path}", served.address));
        browser.sees("h1", "heading", |text| !text.is_empty());
        let wrong = browser.asks(
            "const wrong = [], all = (css) => [...document.querySelectorAll(css)];
             if (!document.documentElement.lang) wrong.push('no language');
             if (all('main').length !== 1 || all('h1').length !== 1) wrong.push('main or h1');
             for (const it of all('input:not([type=hidden]), select')) if (!it.labels.length) wrong.push('no label: ' + it.name);
             for (const it of all('th')) if (!it.scope) wrong.push('no scope: ' + it.textContent);
             for (const it of all('nav, section')) if (!it.getAttribute('aria-label')) wrong.push('no name: ' + it.id);
             for (const it of all('svg')) if (!it.hasAttribute('aria-hidden') && !it.querySelector('title')) wrong.push('a picture without words');
             for (const it of all('a, button')) if (!it.textContent.trim()) wrong.push('nothing to read in ' + it.outerHTML);
             let level = 1;
             for (const it of all('h1, h2, h3')) { const now = +it.tagName[1]; if (now > level + 1) wrong.push('heading ' + it.textContent); level = now; }
             const ids = all('[id]').map((it) => it.id);
             if (new Set(ids).size !== ids.length) wrong.push('an id twice');
             return wrong",
        );
        assert_eq!(wrong, serde_json::json!([]), "{path}");
    }
}

/// The contrast of each text with what is behind it, as the guidelines count it: 4.5, or 3 for large ones.
const LOW_CONTRASTS: &str = "
    const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const light = (colour) => { const [r, g, b] = parts(colour).map((it) => { it /= 255; return it <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const behind = (it) => { for (; it; it = it.parentElement) { const colour = getComputedStyle(it).backgroundColor; if (parts(colour)[3] !== 0) return colour; } return 'rgb(255, 255, 255)'; };
    const low = [];
    for (const it of document.querySelectorAll('body *')) {
      if (it.closest('svg, script, style, .skip') || ![...it.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())) continue;
      const style = getComputedStyle(it), a = light(style.color), b = light(behind(it));
      const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      if (ratio < (parseFloat(style.fontSize) >= 24 ? 3 : 4.5)) low.push(it.textContent.slice(0, 30) + ' ' + ratio.toFixed(2));
    }
    return low";

#[test]
fn in_the_dark_and_in_the_light_everything_can_be_read() {
    let (_place, served, id) = served();
    for dark in [false, true] {
        let browser = Browser::open(Look { dark, ..Look::DESK });
        let ground = || browser.asks("return getComputedStyle(document.body).backgroundColor");
        for (path, name) in [
            ("/".to_owned(), "fleet"),
            (format!("/integrations/{id}"), "integration"),
        ] {
            browser.goto(&format!("http://{}{path}", served.address));
            browser.reads("#facts, #integrations", "success");
            assert_eq!(ground() == "rgb(16, 20, 27)", dark, "{}", ground());
            assert_eq!(
                browser.asks(LOW_CONTRASTS),
                serde_json::json!([]),
                "{path} dark: {dark}"
            );
            browser.keeps(&format!("{name}-{}", if dark { "dark" } else { "light" }));
        }
    }
}

#[test]
fn on_a_phone_nothing_lies_beside_the_screen() {
    let (_place, served, id) = served();
    let browser = Browser::open(Look::PHONE);
    for (path, name) in [
        ("/".to_owned(), "fleet"),
        (format!("/integrations/{id}"), "integration"),
    ] {
        browser.goto(&format!("http://{}{path}", served.address));
        browser.reads("#facts, #integrations", "success");
        let widths = browser.asks("return [document.documentElement.scrollWidth, innerWidth]");
        assert_eq!(widths, serde_json::json!([390, 390]), "{path}");
        browser.keeps(&format!("{name}-phone"));
    }
}

/// A page that cannot be fetched again says so, and goes on when it can.
#[test]
fn a_page_whose_service_is_gone_says_since_when() {
    let (_place, mut served, _) = served();
    let browser = Browser::open(Look::DESK);
    browser.goto(&format!("http://{}/", served.address));
    browser.reads("#as-of", "as of");
    served.service.signal("TERM");
    served.service.exits(0);
    browser.reads("#as-of", "not reachable since then");
    browser.keeps("not-reachable");
}
