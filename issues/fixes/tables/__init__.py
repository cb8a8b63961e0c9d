"""Tables of replacement links, as people have them: pasted cells, CSV files, spreadsheets.

The bulk fix page and `fix --csv` share one reader, `read_table`. It goes from bytes to text (`decoding`), from text to
rows (`dialect`, `records`; `spreadsheet` for .xlsx), finds out what each column means (`header`, `columns`), and
turns rows into one line for each video (`rows`).
"""

from issues.fixes.tables.model import MAX_BYTES, MAX_CHARACTERS, MAX_LINES, Table, TableLine
from issues.fixes.tables.reader import read_table

__all__ = ["MAX_BYTES", "MAX_CHARACTERS", "MAX_LINES", "Table", "TableLine", "read_table"]
