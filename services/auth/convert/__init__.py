"""protobuf <-> domain: `parse_…` from messages, `render_…` to them. One module per resource; `fields` is shared."""
