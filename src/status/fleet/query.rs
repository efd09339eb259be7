//! Which integrations, in which order, in pages. A page's end is told by the last integration on it, so that a list
//! that changes meanwhile loses none that stays where it was. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::state::{Attention, LastOutcome, State};
use super::view::IntegrationView;

/// Which integrations; `None` is any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IntegrationFilter {
    /// Only this tenant's.
    pub tenant: Option<String>,
    /// Only at this carrier.
    pub carrier: Option<String>,
    /// Only those that do this.
    pub state: Option<State>,
    /// Only those whose last sync ended like this.
    pub outcome: Option<LastOutcome>,
    /// Only those that a person must look at like this.
    pub attention: Option<Attention>,
    /// Only those that this is a part of: of their id, name or tenant, whatever the case.
    pub search: Option<String>,
}

/// In which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// By id.
    #[default]
    Id,
    /// What is worst first, then by id.
    Attention,
}

impl Order {
    /// Every one.
    pub const ALL: [Self; 2] = [Self::Id, Self::Attention];

    /// The word in addresses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Attention => "attention",
        }
    }
}

/// After which integration a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    attention: Option<Attention>,
    id: String,
}

/// A page.
#[derive(Debug)]
pub struct Page<'a> {
    /// What is on it.
    pub integrations: Vec<&'a IntegrationView>,
    /// How many the filter lets through, on all pages.
    pub found: usize,
    /// How many of them come before this page.
    pub before: usize,
    /// Where the next page begins; `None`: this is the last.
    pub next: Option<Cursor>,
}

impl IntegrationFilter {
    fn lets(&self, view: &IntegrationView) -> bool {
        let tenant = view.tenant_id.as_ref().map_or("", |tenant| tenant.as_str());
        let holds = |text: &str, word: &str| text.to_lowercase().contains(word);
        let is =
            |wanted: &Option<String>, text: &str| wanted.as_deref().is_none_or(|it| it == text);
        is(&self.tenant, tenant)
            && is(&self.carrier, &view.carrier)
            && self.state.is_none_or(|state| state == view.state)
            && self
                .outcome
                .is_none_or(|outcome| outcome == view.last_outcome)
            && self
                .attention
                .is_none_or(|attention| attention == view.attention)
            && self
                .search
                .as_deref()
                .map(str::to_lowercase)
                .is_none_or(|word| {
                    holds(view.id.as_str(), &word)
                        || holds(tenant, &word)
                        || view.name.as_deref().is_some_and(|name| holds(name, &word))
                })
    }
}

impl Cursor {
    /// After this integration in this order.
    #[must_use]
    pub fn after(view: &IntegrationView, order: Order) -> Self {
        Self {
            attention: (order == Order::Attention).then_some(view.attention),
            id: view.id.as_str().to_owned(),
        }
    }

    /// As it stands in an address.
    #[must_use]
    pub fn encode(&self) -> String {
        let attention = self.attention.map_or("", Attention::as_str);
        URL_SAFE_NO_PAD.encode(format!("{attention} {}", self.id))
    }

    /// Reads what [`encode`](Self::encode) has made; `None`: it has not, or for another order.
    #[must_use]
    pub fn decode(text: &str, order: Order) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let (attention, id) = text.split_once(' ')?;
        let known = Attention::ALL
            .into_iter()
            .find(|it| it.as_str() == attention);
        let is_of_order = match order {
            Order::Id => attention.is_empty(),
            Order::Attention => known.is_some(),
        };
        (is_of_order && !id.is_empty()).then(|| Self {
            attention: known,
            id: id.to_owned(),
        })
    }

    fn is_before(&self, view: &IntegrationView) -> bool {
        let attention = self.attention.map(|_| view.attention);
        (self.attention, &*self.id) < (attention, view.id.as_str())
    }
}

/// The page of `all`, which are sorted by id, that begins after `after`.
#[must_use]
pub fn page<'a>(
    all: &'a [IntegrationView],
    filter: &IntegrationFilter,
    order: Order,
    after: Option<&Cursor>,
    limit: usize,
) -> Page<'a> {
    let mut found: Vec<_> = all.iter().filter(|view| filter.lets(view)).collect();
    if order == Order::Attention {
        // Stable: by id within.
        found.sort_by_key(|view| view.attention);
    }
    let before = after.map_or(0, |cursor| {
        found.partition_point(|view| !cursor.is_before(view))
    });
    let integrations: Vec<_> = found.iter().skip(before).take(limit).copied().collect();
    let is_more = before + integrations.len() < found.len();
    let last = integrations.last().filter(|_| is_more);
    Page {
        found: found.len(),
        before,
        next: last.map(|last| Cursor::after(last, order)),
        integrations,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::device::IntegrationId;
    use crate::status::fleet::view::Known;

    fn view(id: &str, attention: Attention) -> IntegrationView {
        let id = IntegrationId::parse(id).unwrap();
        let known = Known {
            id: &id,
            row: None,
            actor: None,
            devices: None,
        };
        IntegrationView {
            attention,
            ..IntegrationView::of(known, chrono::DateTime::UNIX_EPOCH)
        }
    }

    fn fleet() -> Vec<IntegrationView> {
        let names = (0..25).map(|number| format!("i {number:02}"));
        names
            .enumerate()
            .map(|(number, id)| view(&id, Attention::ALL[number % 4]))
            .collect()
    }

    #[test]
    fn pages_hold_everyone_once_in_either_order() {
        let all = fleet();
        for order in [Order::Id, Order::Attention] {
            let (mut seen, mut after) = (Vec::new(), None::<Cursor>);
            loop {
                let page = page(
                    &all,
                    &IntegrationFilter::default(),
                    order,
                    after.as_ref(),
                    4,
                );
                assert_eq!((page.found, page.before), (25, seen.len()));
                seen.extend(
                    page.integrations
                        .iter()
                        .map(|view| (view.attention, view.id.clone())),
                );
                let Some(next) = page.next else { break };
                // As it goes through an address.
                after = Some(Cursor::decode(&next.encode(), order).unwrap());
                assert_eq!(after.as_ref(), Some(&next));
            }
            assert_eq!(seen.len(), 25);
            match order {
                Order::Id => assert!(seen.is_sorted_by(|a, b| a.1 < b.1)),
                Order::Attention => assert!(seen.is_sorted_by(|a, b| a < b)),
            }
        }
    }

    #[test]
    fn an_integration_that_gets_well_between_two_pages_costs_no_other() {
        let mut all = fleet();
        let order = Order::Attention;
        let first = page(&all, &IntegrationFilter::default(), order, None, 3);
        let next = first.next.unwrap();
        let last = first.integrations.last().unwrap().id.clone();
        all.iter_mut()
            .find(|view| view.id == last)
            .unwrap()
            .attention = Attention::Well;
        let second = page(&all, &IntegrationFilter::default(), order, Some(&next), 1);
        assert_eq!(second.integrations[0].id.as_str(), "i 12");
    }

    #[test]
    fn what_is_no_cursor_of_this_order_is_refused() {
        let of_id = Cursor::after(&view("i", Attention::Well), Order::Id).encode();
        let of_attention = Cursor::after(&view("i", Attention::Well), Order::Attention).encode();
        assert!(Cursor::decode(&of_id, Order::Attention).is_none());
        assert!(Cursor::decode(&of_attention, Order::Id).is_none());
        for text in ["", "%", "aGVsbG8", "IA", &URL_SAFE_NO_PAD.encode("odd i")] {
            assert!(Cursor::decode(text, Order::Id).is_none(), "{text}");
            assert!(Cursor::decode(text, Order::Attention).is_none(), "{text}");
        }
    }

    #[test]
    fn only_what_is_asked_for_is_found() {
        let mut all = fleet();
        all[7].carrier = "1nce".into();
        all[7].name = Some("Pumps SOUTH".into());
        let found = |filter: IntegrationFilter| page(&all, &filter, Order::Id, None, 100).found;
        let filter = IntegrationFilter::default;
        let some = |text: &str| Some(text.to_owned());
        for (filter, count) in [
            (filter(), 25),
            (
                IntegrationFilter {
                    carrier: some("1nce"),
                    ..filter()
                },
                1,
            ),
            (
                IntegrationFilter {
                    carrier: some("1NCE"),
                    ..filter()
                },
                0,
            ),
            (
                IntegrationFilter {
                    search: some("s south"),
                    ..filter()
                },
                1,
            ),
            (
                IntegrationFilter {
                    search: some("I 0"),
                    ..filter()
                },
                10,
            ),
            (
                IntegrationFilter {
                    tenant: some("acme"),
                    ..filter()
                },
                0,
            ),
            (
                IntegrationFilter {
                    state: Some(State::Elsewhere),
                    ..filter()
                },
                25,
            ),
            (
                IntegrationFilter {
                    outcome: Some(LastOutcome::Error),
                    ..filter()
                },
                0,
            ),
            (
                IntegrationFilter {
                    attention: Some(Attention::Broken),
                    ..filter()
                },
                7,
            ),
        ] {
            let told = format!("{filter:?}");
            assert_eq!(found(filter), count, "{told}");
        }
    }
}
