"""What can be read: name -> "module:Class" (the two sorts of class are described in `bowerbird.ingest.source`)."""

TABLE: dict[str, str] = {
    # files that people read
    "folder": "bowerbird.ingest.sources.folder:Folder",
    "text": "bowerbird.ingest.sources.text:Text",
    "markdown": "bowerbird.ingest.sources.markdown:Markdown",
    "html": "bowerbird.ingest.sources.html:Html",
    "pdf": "bowerbird.ingest.sources.pdf:Pdf",
    "docx": "bowerbird.ingest.sources.docx:Docx",
    "code": "bowerbird.ingest.sources.code:Code",
    # structured data
}
