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
    "jsonl": "bowerbird.ingest.sources.jsonl:Jsonl",
    "csv": "bowerbird.ingest.sources.csv:Csv",
    "parquet": "bowerbird.ingest.sources.parquet:Parquet",
    "examples": "bowerbird.ingest.sources.typed_rows:Examples",
    "users": "bowerbird.ingest.sources.typed_rows:Users",
    "models": "bowerbird.ingest.sources.typed_rows:Models",
    "items": "bowerbird.ingest.sources.items:Items",
    "chat": "bowerbird.ingest.sources.chat:Chat",
    "openai_tools": "bowerbird.ingest.sources.tool_schemas:OpenAITools",
    "mcp_tools": "bowerbird.ingest.sources.tool_schemas:McpTools",
    "openapi": "bowerbird.ingest.sources.openapi:OpenAPI",
    "callables": "bowerbird.ingest.sources.callables:Callables",
    "python_docs": "bowerbird.ingest.sources.python_docs:PythonDocs",
}
