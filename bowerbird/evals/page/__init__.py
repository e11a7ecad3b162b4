"""The report as people read it: one HTML page, or Markdown. What comes from records and models is shown as text, never as markup."""
