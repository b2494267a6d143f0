"""The report of a model: one plain dictionary, told as a page, as JSON or as a card."""
