"""What a person sees: progress on stderr while it runs, tables of several rounds' figures on stdout."""

import sys
from statistics import median


def progress(text):
    """Says what is under way; on a terminal the line is used again."""
    end = "\r\033[K" if sys.stderr.isatty() else "\n"
    print(f"{text} ...", end=end, file=sys.stderr, flush=True)


def spread(values, digits=0):
    """Median and, of several rounds, lowest and highest."""
    middle = f"{median(values):,.{digits}f}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):,.{digits}f}..{max(values):,.{digits}f})"


def show(title, head, rows):
    """Prints a table; the first column stands left, figures right."""
    rows = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[n]) for row in [head, *rows]) for n in range(len(head))]
    print(f"\n{title}\n")
    for row in [head, ["-" * width for width in widths], *rows]:
        cells = [cell.rjust(width) for cell, width in zip(row, widths)]
        cells[0] = row[0].ljust(widths[0])
        print("  " + "  ".join(cells).rstrip(), flush=True)
