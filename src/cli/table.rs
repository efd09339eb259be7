//! Aligned columns that fit the terminal. Pure: widths in, lines out.
//!
//! Cells may come from a database that others write to, so control characters (terminal escapes)
//! are replaced before they are shown.

use console::{Alignment, measure_text_width, pad_str, truncate_str};

/// Between two columns.
const GAP: &str = "  ";

/// A column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    title: &'static str,
    alignment: Alignment,
    /// Never cut below this; `None`: never cut.
    floor: Option<usize>,
}

impl Column {
    /// Ids (to be copied), words and dates: always shown whole.
    pub(super) const fn whole(title: &'static str) -> Self {
        Self {
            title,
            alignment: Alignment::Left,
            floor: None,
        }
    }

    /// Free text: cut where the terminal is too narrow, but not below `floor` columns.
    pub(super) const fn text(title: &'static str, floor: usize) -> Self {
        Self {
            title,
            alignment: Alignment::Left,
            floor: Some(floor),
        }
    }

    /// Numbers, aligned at their end.
    pub(super) const fn number(title: &'static str) -> Self {
        Self {
            title,
            alignment: Alignment::Right,
            floor: None,
        }
    }
}

/// Lays out rows, a page at a time; a later page never narrows a column.
#[derive(Debug)]
pub(super) struct Table<const N: usize> {
    columns: [Column; N],
    widths: [usize; N],
    terminal_width: Option<usize>,
    has_header: bool,
}

impl<const N: usize> Table<N> {
    /// A table for a terminal of this width; `None`: nothing is cut.
    pub(super) fn new(columns: [Column; N], terminal_width: Option<usize>) -> Self {
        let widths = columns.map(|column| measure_text_width(column.title));
        Self {
            columns,
            widths,
            terminal_width,
            has_header: true,
        }
    }

    /// The lines of a page; the first page begins with the titles.
    pub(super) fn page(&mut self, rows: Vec<[String; N]>) -> Vec<String> {
        let mut rows: Vec<[String; N]> = rows.into_iter().map(|row| row.map(printable)).collect();
        if std::mem::take(&mut self.has_header) {
            rows.insert(0, self.columns.map(|column| column.title.to_owned()));
        }
        for row in &rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(measure_text_width(cell));
            }
        }
        let widths = self.fitting_widths();
        rows.iter().map(|row| self.line(row, &widths)).collect()
    }

    /// The widths, with whatever has most to spare narrowed until the line fits; a terminal too
    /// narrow for that wraps the line.
    fn fitting_widths(&self) -> [usize; N] {
        let mut widths = self.widths;
        let Some(available) = self.terminal_width else {
            return widths;
        };
        let gaps = GAP.len() * N.saturating_sub(1);
        while widths.iter().sum::<usize>() + gaps > available {
            let spare = |i: usize| {
                self.columns[i]
                    .floor
                    .map_or(0, |floor| widths[i].saturating_sub(floor))
            };
            let Some(widest) = (0..N).max_by_key(|i| spare(*i)).filter(|i| spare(*i) > 0) else {
                break;
            };
            widths[widest] -= 1;
        }
        widths
    }

    fn line(&self, row: &[String; N], widths: &[usize; N]) -> String {
        let mut line = String::new();
        for ((cell, column), width) in row.iter().zip(&self.columns).zip(widths) {
            let cell = truncate_str(cell, *width, "…");
            line += &pad_str(&cell, *width, column.alignment, None);
            line += GAP;
        }
        line.truncate(line.trim_end().len());
        line
    }
}

fn printable(cell: String) -> String {
    if cell.chars().any(char::is_control) {
        return cell
            .chars()
            .map(|c| if c.is_control() { '\u{fffd}' } else { c })
            .collect();
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(width: Option<usize>) -> Table<3> {
        Table::new(
            [
                Column::whole("ID"),
                Column::text("ERROR", 4),
                Column::number("MB"),
            ],
            width,
        )
    }

    fn row(id: &str, error: &str, mb: &str) -> [String; 3] {
        [id.to_owned(), error.to_owned(), mb.to_owned()]
    }

    #[test]
    fn columns_are_aligned_and_numbers_end_together() {
        let lines = table(None).page(vec![row("a", "x", "9.00"), row("long", "überall", "10.00")]);
        assert_eq!(
            lines,
            [
                "ID    ERROR       MB",
                "a     x         9.00",
                "long  überall  10.00"
            ]
        );
    }

    #[test]
    fn a_line_fits_the_terminal_and_only_free_text_is_cut() {
        let lines = table(Some(20)).page(vec![row("abcdef", &"e".repeat(80), "10.00")]);
        assert_eq!(
            lines[1],
            "abcdef  eeeeee…  10.00"
                .replace("eeeeee…", "eeee…")
                .as_str()
        );
        assert!(
            lines.iter().all(|line| measure_text_width(line) <= 20),
            "{lines:?}"
        );
    }

    #[test]
    fn a_cell_cannot_send_escapes_to_the_terminal() {
        let lines = table(None).page(vec![row("a", "\u{1b}[2Jgone\n", "1")]);
        assert!(
            lines.iter().all(|line| !line.chars().any(char::is_control)),
            "{lines:?}"
        );
    }

    #[test]
    fn titles_come_once_and_later_pages_keep_the_columns() {
        let mut table = table(None);
        table.page(vec![row("a-long-id", "", "1")]);
        assert_eq!(
            table.page(vec![row("b", "x", "1")]),
            ["b          x       1"]
        );
    }
}
